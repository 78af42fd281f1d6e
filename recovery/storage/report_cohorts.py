"""The sums of a period's cases: from months that are added up already, corrected for what changed since, and from lines for the rest.

Without the correction the report would be as old as the last roll-up; without the added-up months a year of a large merchant would be
read case by case.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from recovery.cases.lifecycle import CREDITED, OPEN
from recovery.storage.report_lines import DAY, added_up
from recovery.storage.report_queries import narrowed_to, narrowing
from recovery.storage.report_sums import SUMS, AttemptSum, CohortSum, Cut, DaySum, HourSum, Only, SourceSum, Span

Stretch = tuple[datetime, datetime]

_ROLLED: Final = """SELECT month, begins_at, ends_at FROM figure_months
WHERE zone = :zone AND begins_at >= :start AND ends_at <= :end ORDER BY begins_at"""

_SUMMED: Final = """
WITH lines AS ({lines})
SELECT cut, key, currency, {sums}
FROM ({kept}{added_up}) parts
GROUP BY cut, key, currency HAVING sum(cases) <> 0"""

_KEPT: Final = """SELECT month, cut, key, currency, {names} FROM figure_sums
WHERE zone = :zone AND month = ANY(:months) AND cut = ANY(:cuts)
UNION ALL
"""
_CHANGED: Final = """SELECT -1 AS w, {lines} FROM case_figures
WHERE case_id IN (SELECT case_id FROM report_stale) AND failed_at >= :start AND failed_at < :end{covered}
UNION ALL
SELECT 1 AS w, {lines} FROM case_figures_live
WHERE case_id IN (SELECT case_id FROM report_stale) AND failed_at >= :start AND failed_at < :end{covered}"""
_NOW: Final = "SELECT 1 AS w, {lines} FROM case_figures_now WHERE {uncovered}{only}"

LINE: Final = (
    "failed_at, currency, state, source, recovered_at, emails_sent, reason, decline_class, brand, country, segment, tenure, contract, "
    "amount_band, arm, at_risk_minor, recovered_minor, credited_minor, refunded_minor, disputed_minor, fee_minor, monthly_minor, "
    "sources, source_recovered, source_refunded, source_disputed, try_numbers, try_slots, try_outcomes, try_minor, "
    "paid_at, paid_minor, paid_credited"
)
"""What of a line is added up or adds to a key."""


def cohort_sums(tx: Connection, span: Span, cuts: Collection[Cut]) -> list[CohortSum]:
    """The cases that failed in the span, divided by each cut."""
    rows = summed(tx, span, [cut.value for cut in cuts])
    found = [CohortSum(**row | {"cut": Cut(row["cut"])}) for row in rows]
    return sorted(found, key=lambda one: (one.currency, one.key))


def source_sums(tx: Connection, span: Span) -> list[SourceSum]:
    """What those cases brought, whenever it came, by source."""
    names = ("currency", "cases", "recovered_minor", "refunded_minor", "disputed_minor")
    rows = summed(tx, span, [Only.SOURCE.value])
    found = [SourceSum(source=row["key"], **{name: row[name] for name in names}) for row in rows]
    return sorted(found, key=lambda one: (one.currency, one.source))


def try_sums(tx: Connection, span: Span) -> tuple[list[AttemptSum], list[HourSum]]:
    """The attempts on the cases that failed in the span, by their number and by the hour of the issuer's week."""
    attempts, hours = [], []
    for row in summed(tx, span, [Only.ATTEMPT.value, Only.HOUR.value]):
        tried: dict[str, Any] = {
            "currency": row["currency"],
            "attempts": row["cases"],
            "succeeded": row["recovered_cases"],
            "open": row["open_cases"],
            "recovered_minor": row["recovered_minor"],
        }
        if row["cut"] == Only.ATTEMPT:
            attempts.append(AttemptSum(number=int(row["key"]), **tried))
        else:
            hours.append(HourSum(slot=int(row["key"]), **tried))
    attempts.sort(key=lambda one: (one.currency, one.number))
    return attempts, sorted(hours, key=lambda one: (one.currency, one.slot))


def day_sums(tx: Connection, span: Span) -> list[DaySum]:
    """The cases that failed in the span and their recoveries, by day."""
    found = [
        DaySum(
            day=date.fromisoformat(row["key"]),
            currency=row["currency"],
            at_risk_minor=row["at_risk_minor"],
            credited_minor=row["credited_minor"],
            uncredited_minor=row["recovered_minor"] - row["credited_minor"],
        )
        for row in summed(tx, span, [DAY])
    ]
    return sorted(found, key=lambda one: (one.currency, one.day))


def summed(tx: Connection, span: Span, cuts: Collection[str]) -> list[dict[str, Any]]:
    """The sums of a span by cut, key and currency, exact as of the transaction's snapshot."""
    months, uncovered = _covered(tx, span)
    given: dict[str, Any] = {
        "zone": span.zone,
        "credited": sorted(source.value for source in CREDITED),
        "open": sorted(state.value for state in OPEN),
    }
    for number, (start, end) in enumerate(uncovered):
        given |= {f"from_{number}": start, f"to_{number}": end}
    inside = " OR ".join(f"(failed_at >= :from_{n} AND failed_at < :to_{n})" for n in range(len(uncovered)))
    parts, kept = [], ""
    if months:
        given |= {"start": span.start, "end": span.end, "months": months, "cuts": list(cuts)}
        parts.append(_CHANGED.format(lines=LINE, covered=f" AND NOT ({inside})" if inside else ""))
        kept = _KEPT.format(names=", ".join(SUMS))
    if inside:
        parts.append(_NOW.format(lines=LINE, uncovered=f"({inside})", only=narrowing(span)))
        given |= {name: value for name, value in narrowed_to(span).items() if name != "open"}
    statement = _SUMMED.format(
        lines="\nUNION ALL\n".join(parts),
        sums=", ".join(f"sum({name})::bigint AS {name}" for name in SUMS),
        kept=kept,
        added_up=added_up(cuts),
    )
    wanted = {name: value for name, value in given.items() if f":{name}" in statement}
    return [dict(row) for row in tx.execute(text(statement), wanted).mappings()]


def _covered(tx: Connection, span: Span) -> tuple[list[str], list[Stretch]]:
    """The months of a span that are added up, and the stretches that are not; a narrowed span has only those."""
    if span.only:
        return [], [(span.start, span.end)]
    given = {"zone": span.zone, "start": span.start, "end": span.end}
    rolled = tx.execute(text(_ROLLED), given).all()
    return [row.month for row in rolled], gaps(span, [(row.begins_at, row.ends_at) for row in rolled])


def gaps(span: Span, covered: Iterable[Stretch]) -> list[Stretch]:
    """What of a span lies between some stretches, which come in order."""
    found, at = [], span.start
    for begins_at, ends_at in covered:
        if begins_at > at:
            found.append((at, begins_at))
        at = ends_at
    return [*found, (at, span.end)] if at < span.end else found
