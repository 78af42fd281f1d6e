"""One customer's account at the gateway, as plain values: cards on file, one invoice, what was charged.

Without it each authorisation of a backtest would build a dozen JSON objects. It answers as the sandbox does, which a test compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from recovery.cases.obligation import Charge, ChargeStatus, Obligation, ObligationStatus
from recovery.cases.wallet import KeptCard, Place, Wallet, ordered
from recovery.declines.signals import Card, Initiator
from recovery.money import Money
from recovery.simulation.answers import (
    GATEWAY_REFUSES_AFTER,
    NOT_SENT,
    Answer,
    Authorization,
    CardOnFile,
    PastTry,
    Verdict,
)
from recovery.simulation.backtest.shown import card_of, on_file, signals_of
from recovery.simulation.sandbox.store import DEFAULT_SEED, derived_id
from recovery.simulation.world.build import World
from recovery.simulation.world.people import CardFace, Person
from recovery.values import maker, quick, replace


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One authorisation and its answer."""

    charge: Charge
    answer: Answer
    card: CardOnFile

    @property
    def approved(self) -> bool:
        """Whether money moved."""
        return self.answer.verdict is _APPROVED


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A card that the gateway holds: as it is, since when, as the engine reads it, and as a charge is sent with it."""

    face: CardFace
    since: datetime
    card: Card
    sent: CardOnFile


_APPROVED, _OPEN, _CUSTOMER = Verdict.APPROVED, ObligationStatus.OPEN, Initiator.CUSTOMER

# Made for every try.
_charge, _tried, _authorization, _past_try = maker(Charge), maker(Tried), maker(Authorization), maker(PastTry)
# Made for every life.
_obligation, _held, _kept_card, _wallet = maker(Obligation), maker(_Held), maker(KeptCard), maker(Wallet)


class Account:
    """The gateway's view of one person, whose renewal has failed or is about to."""

    __slots__ = (
        "_attached",
        "_default",
        "_named",
        "_number",
        "_obligation",
        "_refused",
        "_wallet",
        "_world",
        "history",
        "person",
        "tries",
    )

    def __init__(self, world: World, person: Person) -> None:
        self._world = world
        self.person = person
        self._default = person.card
        self._named = person.card if person.names_own_card else None
        self._wallet: Wallet | None = None
        self._attached: dict[str, _Held] = {}
        self.attach(person.card, person.since)
        self._number = 0
        self._refused: dict[str, tuple[int, int, str]] = {}
        self.history: dict[str, tuple[PastTry, ...]] = {}
        self.tries: list[Tried] = []
        self._obligation = _opening(person)

    @property
    def obligation(self) -> Obligation:
        """The invoice as it would be read now."""
        return self._obligation

    @property
    def owed(self) -> bool:
        """Whether the invoice is open and the subscription alive."""
        return self._obligation.status is _OPEN and self._obligation.subscription_live

    @property
    def on_file(self) -> CardFace:
        """What the gateway would charge by default: the subscription's own method before the customer's."""
        return self._named or self._default

    @property
    def wallet(self) -> Wallet:
        """The customer's cards as the engine reads them."""
        if self._wallet is None:
            self._wallet = self._read_wallet()
        return self._wallet

    def read(self) -> Obligation:
        """The invoice with its charges; with one card alone no decision asks for the failed ones."""
        if len(self._attached) == 1 or not self.owed:
            return self._obligation
        return replace(self._obligation, charges=tuple(tried.charge for tried in self.tries))

    def face_of(self, payment_method: str) -> CardFace:
        """The card behind a payment method, as it is now."""
        return self._attached[payment_method].face

    def _read_wallet(self) -> Wallet:
        placed = [(self._default, Place.CUSTOMER), *((held.face, Place.ATTACHED) for held in self._attached.values())]
        if self._named is not None:
            placed.insert(0, (self._named, Place.SUBSCRIPTION))
        kept: dict[str, KeptCard] = {}
        for face, place in placed:
            name = self._method(face)
            if name not in kept:
                held = self._attached[name]
                kept[name] = _kept_card(card=held.card, place=place, saved_at=held.since.replace(microsecond=0))
        return _wallet(default=self._held(self.on_file).card, cards=ordered(list(kept.values())))

    def _method(self, face: CardFace) -> str:
        """The payment method of a card; new details of the first card stay under its name."""
        renewed = self.person.trouble.renewed
        first = renewed is not None and face.fingerprint == renewed.fingerprint
        return self.person.card.fingerprint if first else face.fingerprint

    def _held(self, face: CardFace) -> _Held:
        return self._attached[self._method(face)]

    def update(self, renewed: CardFace) -> None:
        """The network tells new details of the card that failed."""
        if self._named == self.person.card:
            self._named = renewed
        if self._default == self.person.card:
            self._default = renewed
        self._hold(renewed, self._held(renewed).since)

    def attach(self, face: CardFace, at: datetime) -> None:
        """A card is saved, but no default."""
        if self._method(face) not in self._attached:
            self._hold(face, at)

    def _hold(self, face: CardFace, since: datetime) -> None:
        name = self._method(face)
        self._attached[name] = _held(face=face, since=since, card=card_of(face, name), sent=on_file(face))
        self._wallet = None

    def save(self, face: CardFace, at: datetime) -> None:
        """The customer saves a card in the portal: only the default changes."""
        self.attach(face, at)
        self._default, self._wallet = face, None

    def cancel(self) -> None:
        """The subscription ends; the invoice stays open but is no longer collected."""
        self._obligation = replace(self._obligation, subscription_live=False)

    def charge(self, at: datetime, face: CardFace, *, initiator: Initiator, key: str | None = None) -> Tried:
        """Try to pay the invoice. A customer is present and can authenticate; everybody else is not."""
        held = self._held(face)
        question = self._question(at, held.sent, on_session=initiator is _CUSTOMER)
        answer = NOT_SENT if self._gateway_refuses(question) else self._world.answer(question)
        self._number += 1
        approved = answer.verdict is _APPROVED
        charge = _charge(
            id=f"ch_{self._number}",
            status=ChargeStatus.SUCCEEDED if approved else ChargeStatus.FAILED,
            amount=self._obligation.remaining,
            created_at=at.replace(microsecond=0) if at.microsecond else at,  # gateways tell whole seconds
            card=held.card,
            signals=None if approved else signals_of(answer),
            initiator=initiator,
            idempotency_key=key,
        )
        self._book(question, answer, approved=approved, initiator=initiator)
        tried = _tried(charge=charge, answer=answer, card=question.card)
        self.tries.append(tried)
        if approved:
            self._obligation = replace(
                self._obligation, status=ObligationStatus.PAID, paid_at=charge.created_at, charges=(charge,)
            )
        return tried

    def _question(self, at: datetime, card: CardOnFile, *, on_session: bool) -> Authorization:
        owed = self._obligation.remaining
        return _authorization(
            card=card,
            customer=self._obligation.customer,
            invoice=self._obligation.id,
            amount_minor=owed.minor,
            currency=owed.currency,
            at=at,
            on_session=on_session,
            history=self.history.get(card.fingerprint, ()),
        )

    def _gateway_refuses(self, question: Authorization) -> bool:
        card = question.card
        if question.on_session or card.fingerprint not in self._refused:
            return False
        return self._refused[card.fingerprint] == (card.exp_month, card.exp_year, card.last4)

    def _book(self, question: Authorization, answer: Answer, *, approved: bool, initiator: Initiator) -> None:
        card = question.card
        past = _past_try(
            at=question.at,
            approved=approved,
            amount_minor=question.amount_minor,
            reached_network=answer.verdict is not Verdict.BLOCKED,
            decline_code=answer.decline_code,
            initiator=initiator.value,
        )
        self.history[card.fingerprint] = (*self.history.get(card.fingerprint, ()), past)
        if approved:
            self._refused.pop(card.fingerprint, None)
        elif answer.decline_code in GATEWAY_REFUSES_AFTER or answer.reason in GATEWAY_REFUSES_AFTER:
            self._refused[card.fingerprint] = (card.exp_month, card.exp_year, card.last4)


def _opening(person: Person) -> Obligation:
    """The invoice of the renewal, named as the sandbox names it."""
    customer, invoice = _names(person.email)
    return _obligation(
        id=invoice,
        customer=customer,
        status=ObligationStatus.OPEN,
        remaining=Money(minor=person.amount_minor, currency=person.place.currency),
        livemode=False,
        charge_automatically=True,
        billing_reason="subscription_cycle",
        created_at=person.fails_at,
        subscription=f"sub of {customer}",
        subscribed_at=person.since,
        interval=person.interval,
        country=person.place.country,
        region=person.home.state,
    )


@lru_cache(maxsize=64)
def _names(email: str) -> tuple[str, str]:
    customer = derived_id(DEFAULT_SEED, "cus", email, 1)
    return customer, derived_id(DEFAULT_SEED, "in", customer, 1)
