"""What the one door needs: the database, the rules, the machine's clock. Without it every caller would wire its own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, Engine

from recovery.cases.rules import Rules
from recovery.storage.moment import Moment


class RuleBook(Protocol):
    """Gives the rules for a policy version. The knowledge beside the policy is the same for all."""

    current: str
    """The version that new cases are pinned on."""

    def rules_for(self, tx: Connection, version: str) -> Rules:
        """The rules of a case pinned on a version."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The engine's surroundings. ``clock`` is business time, ``machine_clock`` real time; both aware UTC.

    ``tells_merchant`` when messages for the merchant's app are to be written with each decision.
    """

    database: Engine
    rulebook: RuleBook
    clock: Callable[[], datetime]
    machine_clock: Callable[[], datetime]
    tells_merchant: bool = False

    def moment(self) -> Moment:
        """Both clocks, read once."""
        return Moment(now=self.clock(), machine_now=self.machine_clock())
