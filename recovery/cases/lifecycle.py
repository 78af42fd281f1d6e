"""The life of a case as one table, shared by code, database, docs and tests. Without it each would draw its own arrows."""

from datetime import timedelta
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a case stands."""

    SILENT = "silent"
    """We act without the customer."""
    DUNNING = "dunning"
    """Silent options are exhausted; the customer is asked."""
    REVIEW = "review"
    """A person must look; has an escalation date."""
    RECOVERED = "recovered"
    """Paid."""
    LOST = "lost"
    """Given up, or written off by the merchant."""
    WITHDRAWN = "withdrawn"
    """No longer owed, or the customer left: nothing to recover."""


SILENT: Final = State.SILENT
DUNNING: Final = State.DUNNING
REVIEW: Final = State.REVIEW
"""By names of their own: every decision compares them, and Python 3.11 is slow to find a member of its class."""

OPEN: Final = frozenset({State.SILENT, State.DUNNING, State.REVIEW})
ENDS: Final = frozenset({State.RECOVERED, State.LOST, State.WITHDRAWN})

NEXT: Final = {
    State.SILENT: OPEN | ENDS,
    State.DUNNING: frozenset({State.DUNNING, State.REVIEW}) | ENDS,
    State.REVIEW: frozenset({State.REVIEW, State.SILENT, State.DUNNING}) | ENDS,
    State.RECOVERED: frozenset({State.RECOVERED}),
    State.LOST: frozenset({State.LOST, State.RECOVERED}),
    State.WITHDRAWN: frozenset({State.WITHDRAWN, State.RECOVERED}),
}
"""Which state may follow which. An end still accepts facts: a refund, a dispute, a late payment."""


class StepKind(StrEnum):
    """The orders a case can have waiting, each with a due time."""

    REFRESH_CARD = "refresh_card"
    CHARGE_CARD = "charge_card"
    SETTLE_ATTEMPT = "settle_attempt"
    SEND_EMAIL = "send_email"
    ESCALATE = "escalate"
    CLOSE_CASE = "close_case"
    WAKE_SIBLINGS = "wake_siblings"
    KEEP_CARD = "keep_card"
    ASK_REASON = "ask_reason"


MISSING_LOOKED_FOR: Final = timedelta(days=31)
"""How long an attempt on an invoice that is gone is asked after: as long as it counts against its card."""

LETTERS: Final = frozenset({StepKind.SEND_EMAIL, StepKind.ASK_REASON})
"""The steps that write to customers."""


class StepState(StrEnum):
    """planned → in_flight → done, or cancelled. In flight holds a lease that a sweep takes back."""

    PLANNED = "planned"
    IN_FLIGHT = "in_flight"
    DONE = "done"
    CANCELLED = "cancelled"


OPEN_STEPS: Final = (StepState.PLANNED, StepState.IN_FLIGHT)


class AttemptStatus(StrEnum):
    """What became of one attempt of ours."""

    IN_FLIGHT = "in_flight"
    UNKNOWN = "unknown"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    NEEDS_CUSTOMER = "needs_customer"
    ALREADY_SETTLED = "already_settled"
    NOT_SENT = "not_sent"
    MISCONFIGURED = "misconfigured"


OPEN_ATTEMPTS: Final = frozenset({AttemptStatus.IN_FLIGHT, AttemptStatus.UNKNOWN, AttemptStatus.PROCESSING})
REFUSED: Final = frozenset({AttemptStatus.DECLINED, AttemptStatus.NEEDS_CUSTOMER})
SPENT: Final = OPEN_ATTEMPTS | REFUSED | {AttemptStatus.SUCCEEDED}
"""The attempts that use up the policy's number; the others provably never reached the network."""


class Rule(StrEnum):
    """Why the silent options are exhausted."""

    HORIZON = "horizon"
    ATTEMPTS = "attempts"
    NEVER_AGAIN = "never_again"
    ONLY_CUSTOMER = "only_customer"
    NO_CARD = "no_card"


ONLY_CUSTOMER: Final = frozenset({Rule.ONLY_CUSTOMER, Rule.NO_CARD, Rule.NEVER_AGAIN})
"""Rules that say that only the customer could cure the decline: silence could not have helped."""


class Review(StrEnum):
    """Why a person must look at a case."""

    NOT_BY_CARD = "not_by_card"
    NEVER_SENT = "never_sent"
    """Attempts in a row never got through to the gateway."""
    PUT_OFF = "put_off"
    """A due try was put off again and again, by minutes or not at all."""
    OUR_MISTAKE = "our_mistake"
    """The decline says that we did something wrong; perhaps money moved already."""
    GONE = "gone"
    """The gateway knows the obligation no more."""


CURED_BY_CARD: Final = frozenset({Review.NOT_BY_CARD, Review.NEVER_SENT, Review.PUT_OFF})
"""Where only a way to charge was missing: another card of the customer's ends the review. The others are about money, not cards."""


class Source(StrEnum):
    """Where recovered money came from. The engine is never credited with the last three."""

    SILENT_RETRY = "silent_retry"
    REFRESHED_CARD = "refreshed_card"
    BACKUP_CARD = "backup_card"
    CUSTOMER_AFTER_EMAIL = "customer_after_email"
    CUSTOMER_UNASKED = "customer_unasked"
    GATEWAY_RETRY = "gateway_retry"


CREDITED: Final = frozenset(
    {Source.SILENT_RETRY, Source.REFRESHED_CARD, Source.BACKUP_CARD, Source.CUSTOMER_AFTER_EMAIL}
)


class EntryKind(StrEnum):
    """Kinds of ledger entries. Amounts are positive; the kind says which way they count."""

    AT_RISK = "at_risk"
    AT_RISK_CHANGED = "at_risk_changed"
    RECOVERED = "recovered"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    FEE = "fee"
    """What the gateway kept, as its balance says; zero where it kept nothing."""
    FEE_RETURNED = "fee_returned"
    WRITTEN_OFF = "written_off"
    WITHDRAWN = "withdrawn"
    REINSTATED = "reinstated"
    """A payment came after the case was written off or withdrawn: takes that entry back, on the day of the payment."""
