"""What we know of one obligation being recovered, and what a decision about it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from recovery.cases.lifecycle import (
    OPEN_ATTEMPTS,
    SPENT,
    AttemptStatus,
    EntryKind,
    Rule,
    Source,
    State,
    StepKind,
)
from recovery.declines.classify import DeclineClass, Verdict
from recovery.declines.signals import Card, Signals
from recovery.money import Money
from recovery.sentences import Told


class Purpose(StrEnum):
    """Why an attempt is made; decides whether windows and the policy's number apply, and who is credited."""

    SILENT = "silent"
    REFRESHED_CARD = "refreshed_card"
    CUSTOMER_CARD = "customer_card"


SOURCE_OF = {
    Purpose.SILENT: Source.SILENT_RETRY,
    Purpose.REFRESHED_CARD: Source.REFRESHED_CARD,
    Purpose.CUSTOMER_CARD: Source.CUSTOMER_AFTER_EMAIL,
}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted:
    """The silent options are used up: by which rule, when, and in words."""

    rule: Rule
    at: datetime
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingStep:
    """An open step of the case, as decisions need to know it."""

    kind: StepKind
    due_at: datetime
    in_flight: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One obligation being recovered.

    ``amount`` is what is still owed, as last read. ``card`` is what the next charge would use. ``verdict``, ``signals`` and
    ``last_failure_at`` speak of the newest decline, which was on ``tried_card``. ``dead_cards`` are details that must never be
    presented again. ``segment`` names the segments that its policy is read for, ``zone`` is the customer's own time zone if the
    address tells it, ``woken_at`` when a paid sibling made waiting pointless.
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
    zone: str | None = None
    woken_at: datetime | None = None
    card: Card | None = None
    tried_card: Card | None = None
    verdict: Verdict | None = None
    signals: Signals | None = None
    last_failure_at: datetime | None = None
    dead_cards: tuple[Card, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    steps: tuple[WaitingStep, ...] = ()
    exhausted: Exhausted | None = None
    refreshes: int = 0
    emails_sent: int = 0
    emailed_at: datetime | None = None
    email_tries: int = 0
    escalations: int = 0
    source: Source | None = None
    ended_at: datetime | None = None

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt whose outcome nobody knows yet; there is at most one."""
        return next((a for a in self.attempts if a.status in OPEN_ATTEMPTS), None)

    @property
    def silent_tries(self) -> int:
        """How many of the policy's silent attempts are used up."""
        return sum(1 for a in self.attempts if a.status in SPENT and a.purpose is not Purpose.CUSTOMER_CARD)

    def attempt(self, attempt_id: str) -> Attempt:
        """One attempt by its id. Raises LookupError."""
        for attempt in self.attempts:
            if attempt.id == attempt_id:
                return attempt
        raise LookupError(f"case {self.id} has no attempt {attempt_id}")

    def step(self, kind: StepKind) -> WaitingStep | None:
        """The open step of a kind, or None."""
        return next((s for s in self.steps if s.kind is kind), None)

    def was_tried(self, card: Card) -> bool:
        """Whether these very details were presented already, by the failure that opened the case or by us."""
        spent = [a.card for a in self.attempts if a.status in SPENT]
        return any(card.same_details(tried) for tried in (self.tried_card, *spent))

    def purpose_of(self, card: Card) -> Purpose:
        """What a try on these details would be for."""
        if self.was_tried(card):
            return Purpose.SILENT
        asked = self.state is State.DUNNING and self.emails_sent > 0
        return Purpose.CUSTOMER_CARD if asked else Purpose.REFRESHED_CARD

    def is_dead(self, card: Card) -> bool:
        """Whether these very details were declined for good."""
        return any(card.same_details(dead) for dead in self.dead_cards)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An order with a due time. ``hold_seconds`` of machine time must pass as well, whatever business time does."""

    kind: StepKind
    due_at: datetime
    hold_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line for the ledger. ``ref`` (charge, refund or dispute id) makes it unique within case and kind."""

    kind: EntryKind
    amount: Money
    occurred_at: datetime
    ref: str
    source: Source | None = None
    charge_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a fact leads to: the new case, what to plan and cancel, and a reason that a person can read.

    ``told`` is the reason, put into words or not yet. ``start`` is an attempt to begin: its row is written before the gateway is
    called. ``email`` is the number of an email to begin. ``halt`` stops all charging, with the reason.
    """

    case: Case
    told: Told
    plan: tuple[Plan, ...] = ()
    cancel: frozenset[StepKind] = frozenset()
    entries: tuple[Entry, ...] = ()
    start: Attempt | None = None
    email: int | None = None
    halt: str | None = None

    @property
    def reason(self) -> str:
        """Why, in words."""
        return str(self.told)
