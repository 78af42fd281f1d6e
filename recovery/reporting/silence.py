"""Proves from the journal that nobody was written to before the silent options were exhausted. Without it nobody could check.

The journal is append-only and numbered; an email counts as rightly sent when its case's exhaustion stands in the journal before it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from recovery.cases.lifecycle import ONLY_CUSTOMER
from recovery.storage.silence_queries import EmailRecord


@dataclass(slots=True, kw_only=True)
class Silence:
    """What the journal says about the emails of a period."""

    emails: int = 0
    cases: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    only_customer: list[EmailRecord] = field(default_factory=list)
    broken: list[tuple[EmailRecord, str]] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether every email followed its exhaustion."""
        return not self.broken


def audit(records: Iterable[EmailRecord]) -> Silence:
    """Judge every email."""
    found = Silence()
    cases: set[str] = set()
    for record in records:
        found.emails += 1
        if record.case_id not in cases:
            cases.add(record.case_id)
            found.by_rule[record.rule] += 1
            if record.rule in ONLY_CUSTOMER:
                found.only_customer.append(record)
        found.broken += [(record, why) for why in breaches(record)]
    found.cases = len(cases)
    return found


def breaches(record: EmailRecord) -> list[str]:
    """What is wrong with one email; empty when silence was kept."""
    wrong = []
    if record.line_case != record.case_id:
        wrong.append("its exhaustion stands in another case's journal")
    if record.line_at != record.exhausted_at:
        wrong.append("its exhaustion and the journal's line differ in their instant")
    if record.line_state != "dunning":
        wrong.append(f"the journal's line of its exhaustion says {record.line_state}")
    if record.begun_at < record.exhausted_at:
        wrong.append("it was begun before the exhaustion")
    if record.first_dunning_line is None or record.first_dunning_line < record.exhausted_line:
        wrong.append("the customer was asked before the exhaustion was journalled")
    if record.due_line is None:
        wrong.append("no line of the journal begins it")
    elif record.due_line <= record.exhausted_line:
        wrong.append("the journal begins it before the exhaustion")
    return wrong
