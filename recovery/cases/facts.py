"""What happened, in the past tense. Without facts as values a webhook, an answer and a reading would each change cases their own way.

Every fact has a key: the same fact twice changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from recovery.cases.answers import (
    AlreadySettled,
    Answer,
    Declined,
    Misconfigured,
    NeedsCustomer,
    NotSent,
    Processing,
    Succeeded,
    Unknown,
)
from recovery.cases.card_facts import CardKept as CardKept
from recovery.cases.card_facts import CardRefreshed as CardRefreshed
from recovery.cases.card_facts import PaymentMethodChanged as PaymentMethodChanged
from recovery.cases.customer_facts import CustomerLeft as CustomerLeft
from recovery.cases.customer_facts import DateWished as DateWished
from recovery.cases.customer_facts import MailResumed as MailResumed
from recovery.cases.customer_facts import MailStopped as MailStopped
from recovery.cases.lifecycle import State
from recovery.cases.money_facts import DisputeClosed as DisputeClosed
from recovery.cases.money_facts import DisputeOpened as DisputeOpened
from recovery.cases.money_facts import FeeCharged as FeeCharged
from recovery.cases.money_facts import InvoicePaid as InvoicePaid
from recovery.cases.money_facts import InvoiceVoided as InvoiceVoided
from recovery.cases.money_facts import InvoiceWrittenOff as InvoiceWrittenOff
from recovery.cases.money_facts import PartPaid as PartPaid
from recovery.cases.money_facts import PaymentRefunded as PaymentRefunded
from recovery.cases.money_facts import SubscriptionCancelled as SubscriptionCancelled
from recovery.cases.obligation import Charge, Obligation
from recovery.cases.wallet import KeptCard
from recovery.declines.signals import Card
from recovery.values import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed:
    """A charge on the obligation failed that was not one of our attempts. The first one opens the case."""

    charge: Charge
    obligation: Obligation

    @property
    def key(self) -> str:
        return failure_key(self.charge.id)


def failure_key(charge_id: str) -> str:
    """The key under which the failure of one charge has its effect once, whichever event tells of it."""
    return f"charge:{charge_id}:failed"


_ANSWER_NAMES: dict[type[Answer], str] = {
    Succeeded: "outcome",
    Declined: "outcome",
    NeedsCustomer: "outcome",
    Processing: "processing",
    AlreadySettled: "already_settled",
    NotSent: "not_sent",
    Misconfigured: "misconfigured",
    Unknown: "unknown",
}


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptAnswered:
    """The outcome of one of our attempts, from the gateway's answer, its webhook, or by settling."""

    attempt_id: str
    answer: Answer

    @property
    def key(self) -> str:
        """Answer and webhook of one outcome share a key. "Not sent" is another: a later outcome may still correct it."""
        return f"attempt:{self.attempt_id}:{_ANSWER_NAMES[type(self.answer)]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLapsed:
    """The worker that made an attempt did not come back in time; nobody knows what became of it."""

    attempt_id: str

    @property
    def key(self) -> str:
        return f"attempt:{self.attempt_id}:lapsed"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeDue:
    """A planned try has come due; obligation and cards were just read again."""

    obligation: Obligation
    card: Card | None
    step_id: int
    cards: tuple[KeptCard, ...] = ()
    odd: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"step:{self.step_id}:due"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class EmailDue:
    """A planned email has come due; the obligation was just read again.

    ``asks_why`` when it is the question for the reason; ``page`` whether there is a page of ours that takes the answer.
    """

    obligation: Obligation
    step_id: int
    asks_why: bool = False
    page: bool = True

    @property
    def key(self) -> str:
        return f"step:{self.step_id}:due"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSent:
    """The mail server took the email. ``ambiguous`` when nobody can know, after a crash or a lost connection at the end."""

    email_id: str
    ambiguous: bool = False

    @property
    def key(self) -> str:
        return f"email:{self.email_id}:sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailRefused:
    """The email did not go out. ``permanent`` when trying again cannot help; ``ours`` when it says nothing of the customer's address.

    ``believed_sent`` when it was taken for gone because its worker was late: the worker knows better.
    """

    email_id: str
    detail: str
    permanent: bool
    ours: bool = False
    believed_sent: bool = False

    @property
    def key(self) -> str:
        return f"email:{self.email_id}:refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationDue:
    """A case in review waited its days without a person deciding."""

    step_id: int

    @property
    def key(self) -> str:
        return f"step:{self.step_id}:due"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class CloseDue:
    """The customer's time is over; the obligation was read a last time."""

    obligation: Obligation
    step_id: int

    @property
    def key(self) -> str:
        return f"step:{self.step_id}:due"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationMissing:
    """The gateway knows the obligation no more: no reading can tell what is owed. A person must look."""

    step_id: int
    detail: str

    @property
    def key(self) -> str:
        return f"step:{self.step_id}:missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDecided:
    """A person decided on a case: go on (silent), give up (lost), or withdraw. ``note`` says why. Raises ValueError otherwise."""

    to: State
    note: str
    decided_at: datetime

    def __post_init__(self) -> None:
        if self.to not in (State.SILENT, State.LOST, State.WITHDRAWN):
            raise ValueError(
                f"a person lets a case go on (silent), gives it up (lost) or withdraws it, not {self.to.value}"
            )

    @property
    def key(self) -> str:
        return f"person:{self.decided_at.isoformat()}:{self.to.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiblingRecovered:
    """Another invoice of the same customer was paid: the money or the card is there, so waiting has lost its reason."""

    case_id: str
    at: datetime

    @property
    def key(self) -> str:
        return f"sibling:{self.case_id}:recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMoved:
    """A person moved the case to another version of the policy."""

    version: str
    moved_at: datetime

    @property
    def key(self) -> str:
        return f"policy:{self.version}:{self.moved_at.isoformat()}"


Fact = (
    PaymentFailed
    | AttemptAnswered
    | LeaseLapsed
    | CardRefreshed
    | CardKept
    | ChargeDue
    | InvoicePaid
    | PartPaid
    | InvoiceVoided
    | InvoiceWrittenOff
    | SubscriptionCancelled
    | PaymentMethodChanged
    | PaymentRefunded
    | DisputeOpened
    | DisputeClosed
    | FeeCharged
    | EmailDue
    | EmailSent
    | EmailRefused
    | DateWished
    | CustomerLeft
    | MailStopped
    | MailResumed
    | EscalationDue
    | CloseDue
    | ObligationMissing
    | PersonDecided
    | SiblingRecovered
    | PolicyMoved
)


def fact_name(fact: Fact) -> str:
    """The fact's name in the journal: attempt_answered says which answer."""
    if isinstance(fact, AttemptAnswered):
        return "Attempt" + type(fact.answer).__name__
    return type(fact).__name__


def step_of(fact: Fact) -> int | None:
    """The step whose performance brought the fact, or None."""
    return getattr(fact, "step_id", None)
