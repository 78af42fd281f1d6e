"""What a finished run left behind, in one value: the engine's tables as plain rows beside the gateway's books."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sim_books import Booked, Books
from sim_play import Run
from sqlalchemy import text

from recovery.cases.obligation import ChargeStatus

LATE = timedelta(seconds=900)
"""How old a reading may be when it is acted upon: the longest lease (three charges in a row), and a pause."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; columns as attributes."""

    columns: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.columns[name]


class View:
    """Everything a checker may look at. No code of the engine is asked."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.books: Books = run.books
        with run.database.connect() as tx:
            for name in (
                "cases",
                "attempts",
                "ledger",
                "emails",
                "exhaustions",
                "events",
                "steps",
                "policies",
                "journal",
            ):
                rows = [Row(dict(row)) for row in tx.execute(text(f"SELECT * FROM {name}")).mappings()]
                setattr(self, f"_{name}", rows)
        self.cases: dict[str, Row] = {row.obligation: row for row in self._rows("cases")}
        self.attempts: dict[str, Row] = {row.id: row for row in self._rows("attempts")}
        self.policies: dict[str, Any] = {row.version: row.content for row in self._rows("policies")}

    def _rows(self, name: str) -> list[Row]:
        found: list[Row] = getattr(self, f"_{name}")
        return found

    @property
    def ledger(self) -> list[Row]:
        """The recovery ledger."""
        return self._rows("ledger")

    @property
    def emails(self) -> list[Row]:
        """The emails begun."""
        return self._rows("emails")

    @property
    def exhaustions(self) -> dict[str, Row]:
        """Exhaustion by case."""
        return {row.case_id: row for row in self._rows("exhaustions")}

    @property
    def events(self) -> list[Row]:
        """The events accepted."""
        return self._rows("events")

    @property
    def steps(self) -> list[Row]:
        """All steps."""
        return self._rows("steps")

    @property
    def journal(self) -> list[Row]:
        """All journal lines."""
        return self._rows("journal")

    def attempts_of(self, case_id: str) -> list[Row]:
        """The attempts of a case by number."""
        return sorted((a for a in self.attempts.values() if a.case_id == case_id), key=lambda a: int(a.number))

    def intended_at(self, attempt_id: str) -> datetime:
        """When an attempt was committed, in machine time."""
        attempt = self.attempts[attempt_id]
        lines = [row for row in self._rows("journal") if row.case_id == attempt.case_id and row.fact == "ChargeDue"]
        begun = f"attempt {attempt.number}: "  # an instant is not enough: a driven clock stands still for hours
        found: datetime = next(row.booked_at for row in lines if row.reason.startswith(begun))
        return found

    def ours(self) -> list[tuple[Row, Booked]]:
        """Our charges that reached the gateway, with their attempts."""
        return [(self.attempts[c.key], c) for c in self.books.charges.values() if c.key in self.attempts]

    def accepted(self, word: str) -> bool:
        """Whether any event naming this charge, refund, dispute or invoice of payment was accepted."""
        for notice in self.run.post.notices.values():
            named = {notice.object_id, *(v for v in notice.content.values() if isinstance(v, str))}
            if word in named and notice.id in self.run.post.accepted:
                return True
        return False

    def paid_told(self, obligation: str) -> bool:
        """Whether any news of the payment of an invoice was accepted."""
        kinds = ("invoice.paid",)
        return any(
            n.kind in kinds and n.content.get("invoice") == obligation and n.id in self.run.post.accepted
            for n in self.run.post.notices.values()
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

    def rules_at(self, at: datetime) -> Any:
        """The knowledge in use at an instant."""
        return [known for since, known in self.run.editions if since <= at][-1]
