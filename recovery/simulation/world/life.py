"""What customers and networks do by themselves, and after an email or a charge.

Without lives of their own the customers would wait for ever, and stop conditions (paid unasked, cancelled, card
changed) would only be met in hand-written tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from recovery.simulation.world.dice import Dice, dice, drawn
from recovery.simulation.world.parameters import Cause, Parameters, Reaction
from recovery.simulation.world.people import CardFace, Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew:
    """The subscription renews: the gateway makes the invoice and tries once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardUpdated:
    """The network tells the gateway the new details."""

    card: CardFace


@dataclass(frozen=True, slots=True, kw_only=True)
class PayOnPage:
    """The customer opens the hosted page and pays, with another card if one is given."""

    card: CardFace | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveCard:
    """The customer saves a card in the portal and expects to be charged."""

    card: CardFace


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The customer cancels the subscription."""

    feedback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """The merchant gives back a share of a charge."""

    charge: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """The cardholder disputes a charge; `closes_at` and `won` tell how it ends."""

    charge: str
    closes_at: datetime
    won: bool


Deed = Renew | CardUpdated | PayOnPage | SaveCard | Cancel | Refund | Dispute
Plan = tuple[datetime, Deed]
_FEEDBACK = ("too_expensive", "unused", "switched_service", "missing_features", "other")


def beginnings(seed: int, parameters: Parameters, person: Person) -> list[Plan]:
    """Everything that happens whether or not anybody writes."""
    random = dice(seed, "life", person.index)
    plans: list[Plan] = [(person.fails_at, Renew())]
    renewed, updated_at = person.trouble.renewed, person.trouble.updated_at
    if renewed is not None and updated_at is not None:
        plans.append((updated_at, CardUpdated(card=renewed)))
    later = person.fails_at + timedelta(days=random.uniform(*parameters.unasked_days))
    throw = random.random()
    if throw < parameters.pays_unasked_share:
        plans.append((later, _pay(random, parameters, person)))
    elif throw < parameters.pays_unasked_share + parameters.cancels_unasked_share:
        plans.append((later, Cancel(feedback=random.choice(_FEEDBACK))))
    return plans


def after_mail(seed: int, parameters: Parameters, person: Person, *, at: datetime, number: int) -> list[Plan]:
    """What the person does after the `number`-th email (from 1); later ones move fewer people."""
    random = dice(seed, "mail", person.index, number)
    reaction = drawn(random, parameters.reactions)
    if random.random() >= parameters.repeated_mail_factor ** (number - 1):
        return []
    due_at = at + timedelta(hours=random.uniform(*parameters.reaction_hours))
    if reaction is Reaction.PAYS:
        return [(due_at, _pay(random, parameters, person))]
    if reaction is Reaction.CHANGES_CARD:
        return [(due_at, SaveCard(card=person.other_card))]
    if reaction is Reaction.CANCELS:
        return [(due_at, Cancel(feedback=random.choice(_FEEDBACK)))]
    return []


def after_charge(seed: int, parameters: Parameters, person: Person, *, at: datetime, charge: str) -> list[Plan]:
    """Whether a charge that was made comes back later."""
    random = dice(seed, "giveback", person.index)
    due_at = at + timedelta(days=random.uniform(*parameters.giveback_days))
    throw = random.random()
    if throw < parameters.refund_full_share:
        return [(due_at, Refund(charge=charge, share=1.0))]
    throw -= parameters.refund_full_share
    if throw < parameters.refund_part_share:
        return [(due_at, Refund(charge=charge, share=random.choice((0.25, 0.5))))]
    throw -= parameters.refund_part_share
    if throw < parameters.dispute_share:
        closes_at = due_at + timedelta(days=random.uniform(*parameters.dispute_open_days))
        won = random.random() < parameters.dispute_won_share
        return [(due_at, Dispute(charge=charge, closes_at=closes_at, won=won))]
    return []


def _pay(random: Dice, parameters: Parameters, person: Person) -> PayOnPage:
    """The card on file where it can still work, mostly; else another one."""
    useless = person.trouble.cause in (Cause.EXPIRED, Cause.REISSUED, Cause.CLOSED, Cause.LOST)
    other = useless or random.random() < parameters.other_card_share
    return PayOnPage(card=person.other_card if other else None)
