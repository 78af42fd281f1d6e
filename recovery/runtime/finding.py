"""What the doctor says of one thing. Without a form of their own its findings could only be told by the module that made them."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How one thing is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: how it is, and what to do about it."""

    subject: str
    health: Health
    detail: str
    remedy: str = ""
