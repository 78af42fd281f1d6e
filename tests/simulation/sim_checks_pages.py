"""Judges what the customers' own acts led to: who left or wanted no more letters is left alone."""

from collections import Counter
from collections.abc import Iterator

from sim_view import View


def pages(view: View) -> Iterator[str]:
    """Nothing wrong on the page; nothing tried and nothing sent after a goodbye, no letter after unsubscribing; one question."""
    visits = view.run.visits
    yield from visits.wrong
    for case_id, at in visits.left.items():
        case = next(row for row in view.cases.values() if row.id == case_id)
        if case.state == "withdrawn" and case.left_because is None:
            yield f"{case_id}: the customer left {at} and their reason is not known"
        late = [a.id for a in view.attempts_of(case_id) if a.started_at > at]
        late += [row.id for row in view.emails if row.case_id == case_id and row.begun_at > at]
        if late:
            yield f"{case_id}: the customer left {at}, and after it came {late}"
    for case_id, at in visits.unsubscribed.items():
        late = [row.id for row in view.emails if row.case_id == case_id and row.begun_at > at]
        if late:
            yield f"{case_id}: unsubscribed {at}, and after it came {late}"
    yield from _questions(view)


def _questions(view: View) -> Iterator[str]:
    asked: Counter[str] = Counter()
    cases = {row.id: row for row in view.cases.values()}
    for row in view.emails:
        if row.template == "leaving" and row.status != "refused":
            asked[cases[row.case_id].customer] += 1
            if cases[row.case_id].ended_at > row.begun_at:
                yield f"{row.id} asked why the customer left before they had"
    yield from (f"{customer} was asked {count} times why they left" for customer, count in asked.items() if count > 1)
