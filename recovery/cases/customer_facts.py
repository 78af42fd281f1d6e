"""What the customer did on their page or with our emails, in the past tense. Without it their wishes would be known to nobody."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DateWished:
    """The customer chose the day on which to be charged again."""

    wished_at: datetime

    @property
    def key(self) -> str:
        return f"customer:wish:{self.wished_at.isoformat()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLeft:
    """The customer wants to leave, or told why they left; ``because`` is one of the reasons that the page offers."""

    because: str

    @property
    def key(self) -> str:
        return "customer:left"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailStopped:
    """The customer is not to be written to any more: unsubscribed, the address bounced, or they complained."""

    why: str

    @property
    def key(self) -> str:
        return f"customer:mail_stopped:{self.why}"


def listed(reason: str) -> MailStopped:
    """The address is among those that get nothing."""
    return MailStopped(why=f"the address is on the list of those that get nothing ({reason})")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailResumed:
    """A person lets emails go on that the mail server had refused for good, after the cause was mended."""

    resumed_at: datetime

    @property
    def key(self) -> str:
        return f"person:{self.resumed_at.isoformat()}:mail_resumed"
