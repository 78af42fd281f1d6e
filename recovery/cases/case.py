"""What we know of one obligation being recovered, and what a decision about it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from recovery.cases.correcting import Correction, revived
from recovery.cases.holdout import Arm
from recovery.cases.lifecycle import (
    OPEN_ATTEMPTS,
    SPENT,
    AttemptStatus,
    EntryKind,
    Review,
    Rule,
    Source,
    State,
    StepKind,
)
from recovery.cases.wallet import KeptCard, Place
from recovery.declines.classify import NEEDS_FRESH_CARD, DeclineClass, Verdict
from recovery.declines.signals import Card, Signals
from recovery.money import Money
from recovery.sentences import Told
from recovery.timing.slots import Slot
from recovery.values import quick, replace


class Purpose(StrEnum):
    """Why an attempt is made; decides whether windows and the policy's number apply, and who is credited."""

    SILENT = "silent"
    REFRESHED_CARD = "refreshed_card"
    BACKUP_CARD = "backup_card"
    CUSTOMER_CARD = "customer_card"
    BETWEEN_EMAILS = "between_emails"
    CUSTOMER_DATE = "customer_date"


SILENT_TRY: Final = Purpose.SILENT
"""By a name of its own, as the states are (see ``lifecycle``)."""

_OWN_BUDGET = frozenset({Purpose.BACKUP_CARD, Purpose.CUSTOMER_CARD, Purpose.CUSTOMER_DATE, Purpose.BETWEEN_EMAILS})
"""Purposes that use up none of the policy's silent attempts; the networks' budgets hold for all."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of ours at charging the obligation. ``id`` is also the idempotency key."""

    id: str
    number: int
    card: Card
    amount: Money
    started_at: datetime
    purpose: Purpose
    status: AttemptStatus
    signals: Signals | None = None
    decline_class: DeclineClass | None = None
    charge_id: str | None = None
    zone: str | None = None
    """The zone whose local time decided: kept so that outcomes can be asked for by local hour and weekday."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted:
    """The silent options are used up: by which rule, when, and in words."""

    rule: Rule
    at: datetime
    detail: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingStep:
    """An open step of the case, as decisions need to know it."""

    kind: StepKind
    due_at: datetime
    in_flight: bool


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One obligation being recovered.

    ``amount`` is what is still owed, as last read. ``card`` is what the next charge would use. ``verdict``, ``signals`` and
    ``last_failure_at`` speak of the newest decline, which was on ``tried_card``. ``dead_cards`` are details that must never be
    presented again; one without a fingerprint is a stored entry that was mistyped. ``brands_seen`` has of each payment method the first
    details under each brand that anything ever showed, ``failed_cards`` the details that any charge, whosever, was refused on.
    ``corrections`` are the entries whose billing address was corrected while the case was open. ``segment`` names the segments that its
    policy is read for, ``zone`` the customer's own, if the address tells it; ``arm`` is the customer's where that is measured;
    ``subscribed_at``, ``interval`` and ``trial`` (the first invoice after one) speak of the subscription as it was when it failed,
    ``woken_at`` when a paid sibling made waiting pointless. ``letters_done`` counts the campaign's letters that were sent or left out,
    ``letter_tries`` the tries at the current one; ``email_tries`` numbers all. ``wished_at`` is when the customer wants a try,
    ``left_because`` the reason given for leaving; ``cancelled`` that the subscription was ended meanwhile, ``reason_mail`` which email
    asked. ``wallet`` is the customer's cards as last read, ``choice`` the payment method that the customer chose for this payment.
    ``review`` says why a person must look. ``put_off`` counts how often in a row a due try was put off by less than an hour.
    """

    id: str
    gateway: str
    obligation: str
    customer: str
    subscription: str | None
    amount: Money
    state: State
    policy: str
    failed_at: datetime
    horizon_at: datetime
    segment: str = ""
    arm: Arm | None = None
    zone: str | None = None
    subscribed_at: datetime | None = None
    interval: str | None = None
    interval_count: int = 1
    trial: bool | None = None
    woken_at: datetime | None = None
    card: Card | None = None
    tried_card: Card | None = None
    verdict: Verdict | None = None
    signals: Signals | None = None
    last_failure_at: datetime | None = None
    dead_cards: tuple[Card, ...] = ()
    brands_seen: tuple[Card, ...] = ()
    failed_cards: tuple[Card, ...] = ()
    corrections: tuple[Correction, ...] = ()
    wallet: tuple[KeptCard, ...] = ()
    choice: str | None = None
    attempts: tuple[Attempt, ...] = ()
    steps: tuple[WaitingStep, ...] = ()
    exhausted: Exhausted | None = None
    refreshes: int = 0
    put_off: int = 0
    emails_sent: int = 0
    emailed_at: datetime | None = None
    email_tries: int = 0
    letters_done: int = 0
    letter_tries: int = 0
    mail_stopped: bool = False
    wished_at: datetime | None = None
    wishes: int = 0
    left_because: str | None = None
    cancelled: bool = False
    reason_mail: int | None = None
    escalations: int = 0
    review: Review | None = None
    source: Source | None = None
    ended_at: datetime | None = None

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt whose outcome nobody knows yet; there is at most one."""
        for attempt in self.attempts:
            if attempt.status in OPEN_ATTEMPTS:
                return attempt
        return None

    @property
    def silent_tries(self) -> int:
        """How many of the policy's silent attempts are used up."""
        return len([a for a in self.attempts if a.status in SPENT and a.purpose not in _OWN_BUDGET])

    @property
    def backup_tries(self) -> int:
        """How many of the customer's other cards were tried."""
        return sum(1 for a in self.attempts if a.status in SPENT and a.purpose is Purpose.BACKUP_CARD)

    def attempt(self, attempt_id: str) -> Attempt:
        """One attempt by its id. Raises LookupError."""
        for attempt in self.attempts:
            if attempt.id == attempt_id:
                return attempt
        raise LookupError(f"case {self.id} has no attempt {attempt_id}")

    def step(self, kind: StepKind) -> WaitingStep | None:
        """The open step of a kind, or None."""
        for step in self.steps:
            if step.kind is kind:
                return step
        return None

    def was_tried(self, card: Card) -> bool:
        """Whether these very details were presented already: refused to anybody, or tried by us."""
        if self.corrections and revived(self, card):
            return False
        return card.same_details(self.tried_card) or any(card.same_details(tried) for tried in self._charged())

    def was_presented(self, card: Card) -> bool:
        """Whether these details were charged under this very payment method; the customer may save the same card anew."""
        if self.corrections and revived(self, card):
            return False
        known = (self.tried_card, *self._charged())
        same = (each for each in known if each is not None and each.payment_method == card.payment_method)
        return any(card.same_details(each) for each in same)

    def _charged(self) -> tuple[Card, ...]:
        return (*self.failed_cards, *[a.card for a in self.attempts if a.status in SPENT])

    def is_backup(self, card: Card) -> bool:
        """Whether a card is neither what the gateway would charge by default nor what the customer chose."""
        if not self.wallet or card.payment_method == self.choice:
            return False
        first = self.wallet[0]
        if first.place is not Place.ATTACHED and first.card.payment_method == card.payment_method:
            return False
        return any(kept.card.payment_method == card.payment_method for kept in self.wallet)

    def brand_before(self, card: Card) -> str | None:
        """The brand under which this payment method was shown before, if it is another one now; else None.

        The same number under another name, as co-badged cards have it, is no other brand's card.
        """
        for old in self.brands_seen:
            if old.payment_method != card.payment_method or card.brand is None or old.brand == card.brand:
                continue
            if old.fingerprint is None or old.fingerprint != card.fingerprint:
                return old.brand
        return None

    def purpose_of(self, card: Card) -> Purpose:
        """What a try on these details would be for."""
        if card.payment_method == self.choice and not self.was_presented(card):
            return Purpose.CUSTOMER_CARD
        if self.was_tried(card):
            return SILENT_TRY
        if self.is_backup(card):
            return Purpose.BACKUP_CARD
        if self.corrections and revived(self, card):
            return Purpose.CUSTOMER_CARD
        asked = not self.wallet and self.state is State.DUNNING and self.emails_sent > 0
        other = self.tried_card is None or self.tried_card.payment_method != card.payment_method
        return Purpose.CUSTOMER_CARD if asked and other else Purpose.REFRESHED_CARD

    def is_dead(self, card: Card) -> bool:
        """Whether these very details, or their number, were declined for good."""
        return bool(self.dead_cards) and any(card.same_details(dead) for dead in self.dead_cards)

    def dead_after(self, card: Card, verdict: Verdict) -> tuple[Card, ...]:
        """The dead cards once one was declined so: "never again" is said of the number; of a mistyped entry the number lives."""
        if verdict.decline_class not in NEEDS_FRESH_CARD:
            return self.dead_cards
        if verdict.decline_class is DeclineClass.NEVER_AGAIN and card.fingerprint and not verdict.typed:
            gone = replace(card, exp_month=None, exp_year=None)
            return self.dead_cards if gone in self.dead_cards else (*self.dead_cards, gone)
        gone = replace(card, fingerprint=None) if verdict.typed else card
        same = (dead for dead in self.dead_cards if card.same_details(dead))
        known = any(dead.fingerprint or gone.fingerprint is None for dead in same)
        return self.dead_cards if known else (*self.dead_cards, gone)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An order with a due time. ``hold_seconds`` of machine time must pass as well, whatever business time does."""

    kind: StepKind
    due_at: datetime
    hold_seconds: float = 0.0


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line for the ledger. ``ref`` (charge, refund or dispute id) makes it unique within case and kind."""

    kind: EntryKind
    amount: Money
    occurred_at: datetime
    ref: str
    source: Source | None = None
    charge_id: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a fact leads to: the new case, what to plan and cancel, and a reason that a person can read, put into words when it is.

    ``start`` is an attempt to begin: its row is written before the gateway is called. ``email`` is the number of an email to
    begin, ``template`` its text. ``halt`` stops all charging, with the reason. ``slot`` is what was found when an instant for a try was
    looked for, for the journal.
    """

    case: Case
    reason: Told
    plan: tuple[Plan, ...] = ()
    cancel: frozenset[StepKind] = frozenset()
    entries: tuple[Entry, ...] = ()
    start: Attempt | None = None
    email: int | None = None
    template: str | None = None
    halt: str | None = None
    slot: Slot | None = None
