"""What a finished run left behind, in one value: the engine's tables as plain rows beside the gateway's books.

Simulated runs and runs of real processes alike come to the checkers in this form: without it each would need checkers of its own.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sim_books import Booked, Books, Mailed
from sqlalchemy import Engine, text

from recovery.cases.obligation import ChargeStatus
from recovery.declines.signals import Card
from recovery.gateways.port import Notice
from recovery.runtime.knowledge import Knowledge


@dataclass(frozen=True, slots=True, kw_only=True)
class Visited:
    """What customers did on their pages: who left and who unsubscribed when, by case; ``wrong`` is what no page may do."""

    left: Mapping[str, datetime] = field(default_factory=dict)
    unsubscribed: Mapping[str, datetime] = field(default_factory=dict)
    wrong: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a run from outside the engine, however it was played.

    ``accepted`` says when the engine took each event, ``editions`` which knowledge was in use from when on, both in business time.
    ``driven`` is True where business time jumps ahead of the machine's. A reading may be ``late`` old when it is acted upon: the
    longest lease, and a pause.
    """

    books: Books
    notices: Mapping[str, Notice]
    accepted: Mapping[str, datetime]
    mails: Sequence[Mailed]
    editions: Sequence[tuple[datetime, Knowledge]]
    visits: Visited
    driven: bool
    late: timedelta


SKEW = timedelta(seconds=10)
"""More than any worker's clock is wrong by: what it read may seem younger than what it wrote."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; columns as attributes."""

    columns: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.columns[name]


TABLES = ("cases", "attempts", "ledger", "emails", "exhaustions", "events", "steps", "policies", "journal")


def rows_of(database: Engine) -> dict[str, list[Row]]:
    """The engine's tables as they are now."""
    with database.connect() as tx:
        return {
            name: [Row(dict(row)) for row in tx.execute(text(f"SELECT * FROM {name}")).mappings()] for name in TABLES
        }


class View:
    """Everything a checker may look at. No code of the engine is asked."""

    def __init__(self, rows: Mapping[str, list[Row]], seen: Seen) -> None:
        self.seen = seen
        self.books = seen.books
        self._tables = rows
        self.cases: dict[str, Row] = {row.obligation: row for row in rows["cases"]}
        self.attempts: dict[str, Row] = {row.id: row for row in rows["attempts"]}
        self.policies: dict[str, Any] = {row.version: row.content for row in rows["policies"]}

    @property
    def ledger(self) -> list[Row]:
        """The recovery ledger."""
        return self._tables["ledger"]

    @property
    def emails(self) -> list[Row]:
        """The emails begun."""
        return self._tables["emails"]

    @property
    def exhaustions(self) -> dict[str, Row]:
        """Exhaustion by case."""
        return {row.case_id: row for row in self._tables["exhaustions"]}

    @property
    def events(self) -> list[Row]:
        """The events accepted."""
        return self._tables["events"]

    @property
    def steps(self) -> list[Row]:
        """All steps."""
        return self._tables["steps"]

    @property
    def journal(self) -> list[Row]:
        """All journal lines."""
        return self._tables["journal"]

    def attempts_of(self, case_id: str) -> list[Row]:
        """The attempts of a case by number."""
        return sorted((a for a in self.attempts.values() if a.case_id == case_id), key=lambda a: int(a.number))

    def intended_at(self, attempt_id: str) -> datetime:
        """When an attempt was committed, in machine time."""
        attempt = self.attempts[attempt_id]
        lines = [row for row in self._tables["journal"] if row.case_id == attempt.case_id and row.fact == "ChargeDue"]
        begun = f"attempt {attempt.number}: "  # an instant is not enough: a driven clock stands still for hours
        found: datetime = next(row.booked_at for row in lines if row.reason.startswith(begun))
        return found

    def opened_at(self, case_id: str) -> datetime:
        """When a case was opened, in machine time."""
        found: datetime = min(row.booked_at for row in self._tables["journal"] if row.case_id == case_id)
        return found

    def opening(self, obligation: str) -> Booked | None:
        """The charge that an invoice's case began with: its first, by the gateway itself."""
        return next(iter(self.books.of(obligation)), None)

    def ours(self) -> list[tuple[Row, Booked]]:
        """Our charges that reached the gateway, with their attempts."""
        return [(self.attempts[c.key], c) for c in self.books.charges.values() if c.key in self.attempts]

    def accepted(self, word: str) -> bool:
        """Whether any event naming this charge, refund, dispute or invoice of payment was accepted."""
        for notice in self.seen.notices.values():
            named = {notice.object_id, *(v for v in notice.content.values() if isinstance(v, str))}
            if word in named and notice.id in self.seen.accepted:
                return True
        return False

    def paid_told(self, obligation: str) -> bool:
        """Whether any news of the payment of an invoice was accepted."""
        kinds = ("invoice.paid",)
        return any(
            n.kind in kinds and n.content.get("invoice") == obligation and n.id in self.seen.accepted
            for n in self.seen.notices.values()
        )

    def taken(self, obligation: str) -> list[Booked]:
        """The charges that brought money on an invoice since its case's failure."""
        case = self.cases[obligation]
        paid = [c for c in self.books.of(obligation) if c.status is ChargeStatus.SUCCEEDED]
        return [c for c in paid if c.at >= case.failed_at]

    def entries(self, case_id: str) -> dict[str, list[Row]]:
        """The ledger of one case by kind."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.ledger:
            if row.case_id == case_id:
                found[row.kind].append(row)
        return found

    def cards_shown(self, obligation: str) -> list[Card]:
        """The cards that readings of an invoice showed of its customer's."""
        return [kept.card for _, wallet in self.books.shown.get(obligation, ()) for kept in wallet.cards]

    def rules_at(self, at: datetime) -> Any:
        """The knowledge in use at an instant."""
        return [known for since, known in self.seen.editions if since <= at][-1]
