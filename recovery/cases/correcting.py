"""A billing address that the customer corrected: its stored entry may be charged once more. Without it a slip in a postcode would bury
a good card, whose number, expiry and brand never change.

Only that it was corrected is known, never the address. It lifts what an address alone had refused; a card that is lost, expired or
closed stays dead. A check number is not kept by gateways, so nothing stored can correct it: the customer enters the card anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from recovery.cases.lifecycle import SPENT
from recovery.cases.obligation import Charge, ChargeStatus
from recovery.declines.classify import NEEDS_FRESH_CARD, Verdict
from recovery.declines.signals import Card
from recovery.values import replace

if TYPE_CHECKING:
    from recovery.cases.card_facts import PaymentMethodChanged
    from recovery.cases.case import Case
    from recovery.cases.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One entry's correction. ``at`` is the gateway's instant of the last one; ``lifted_after`` how many attempts had been made when
    it brought the entry back, None while it has not. It does so once in a case: a nightly sync of addresses is no new card."""

    payment_method: str
    at: datetime
    lifted_after: int | None = None


def noted(case: "Case", fact: "PaymentMethodChanged") -> "Case":
    """The case with the correction that an event tells of, until one has had its effect."""
    if fact.corrected is None or fact.at is None:
        return case
    known = _of(case, fact.corrected)
    if known is not None and (known.lifted_after is not None or known.at >= fact.at):
        return case
    made = Correction(payment_method=fact.corrected, at=fact.at)
    return replace(case, corrections=(*(each for each in case.corrections if each is not known), made))


def revived(case: "Case", card: Card) -> bool:
    """Whether the customer corrected what this entry had failed on, and it was not tried since."""
    known = _of(case, card.payment_method)
    if known is None or known.lifted_after is None:
        return False
    since = (a for a in case.attempts if a.number > known.lifted_after and a.status in SPENT)
    return all(a.card.payment_method != card.payment_method for a in since)


def waits(case: "Case", card: Card) -> bool:
    """Whether a correction of this entry was heard of and has had no effect yet: it came while an attempt was open."""
    known = _of(case, card.payment_method)
    return known is not None and known.lifted_after is None


def lifted(case: "Case", charges: Sequence[Charge], *, now: datetime, rules: "Rules") -> "Case":
    """The case with the entries alive again whose corrected address was all that any charge was refused for."""
    if case.open_attempt is not None:
        return case  # how the open attempt ends belongs to what is judged
    for each in case.corrections:
        if each.lifted_after is None and _was_the_address(each, charges, now=now, rules=rules):
            dead = tuple(d for d in case.dead_cards if d.payment_method != each.payment_method or d.fingerprint)
            done = replace(each, lifted_after=len(case.attempts))
            others = tuple(done if other is each else other for other in case.corrections)
            case = case if dead == case.dead_cards else replace(case, dead_cards=dead, corrections=others)
    return case


def _was_the_address(correction: Correction, charges: Sequence[Charge], *, now: datetime, rules: "Rules") -> bool:
    """Whether every hard refusal of the entry was for its address, and before the correction."""
    refused = [
        (charge, verdict)
        for charge in charges
        if charge.status is ChargeStatus.FAILED and charge.signals and charge.card
        if charge.card.payment_method == correction.payment_method
        if (verdict := rules.verdict(charge.signals, charge.card, now)).decline_class in NEEDS_FRESH_CARD
    ]
    return bool(refused) and all(
        # Without a number nobody can tell the entry from the card behind it.
        verdict.address and charge.created_at <= correction.at and charge.card is not None and charge.card.fingerprint
        for charge, verdict in refused
    )


def dead_by(case: "Case", charge: Charge, verdict: Verdict) -> tuple[Card, ...]:
    """The dead cards once a charge was refused so; one that is told late may be what a correction has lifted since."""
    if charge.card is None:
        return case.dead_cards
    known = _of(case, charge.card.payment_method)
    lifted_since = known is not None and known.lifted_after is not None and charge.created_at <= known.at
    return case.dead_cards if lifted_since and verdict.address else case.dead_after(charge.card, verdict)


def _of(case: "Case", payment_method: str) -> Correction | None:
    return next((each for each in case.corrections if each.payment_method == payment_method), None)
