"""Judges what the customers' own acts led to: who left or wanted no more letters is left alone."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from sim_view import Row, View


def pages(view: View) -> Iterator[str]:
    """Nothing wrong on the page; nothing tried and nothing sent after a goodbye, no letter after unsubscribing; one question."""
    visits = view.seen.visits
    yield from visits.wrong
    for case_id, at in visits.left.items():
        case = next(row for row in view.cases.values() if row.id == case_id)
        if case.state == "withdrawn" and case.left_because is None:
            yield f"{case_id}: the customer left {at} and their reason is not known"
        of_it = [row.id for row in view.cases.values() if row.id == case_id or _month_of(row, case, opened_until=at)]
        late = [a.id for each in of_it for a in view.attempts_of(each) if a.started_at > at]
        late += [row.id for row in view.emails if row.case_id in of_it and row.begun_at > at]
        if late:
            yield f"{case_id}: the customer left {at}, and after it came {late}"
    customers = {row.id: row.customer for row in view.cases.values()}
    for case_id, at in visits.unsubscribed.items():
        theirs = [row for row in view.emails if customers[row.case_id] == customers[case_id]]
        late = [row.id for row in theirs if row.begun_at > at]
        if late:
            yield f"{case_id}: unsubscribed {at}, and after it came {late}"
    yield from _questions(view)


def _month_of(row: Row, case: Row, *, opened_until: datetime) -> bool:
    """Whether a case is of the same subscription, and was there already."""
    return (row.customer, row.subscription) == (case.customer, case.subscription) and row.opened_at <= opened_until


def _questions(view: View) -> Iterator[str]:
    asked: Counter[str] = Counter()
    cases = {row.id: row for row in view.cases.values()}
    for row in view.emails:
        if row.template == "leaving" and row.status != "refused":
            asked[cases[row.case_id].customer] += 1
            states = [line.state for line in view.journal if line.case_id == row.case_id and line.at <= row.begun_at]
            if not {"withdrawn", "lost"} & set(states):  # they may have paid since
                yield f"{row.id} asked why the customer left before they had"
    yield from (f"{customer} was asked {count} times why they left" for customer, count in asked.items() if count > 1)
