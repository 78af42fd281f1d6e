"""How lines of figures add up, in SQL. Without one text for it rolled-up sums and sums made afresh would differ.

A line counts ``w`` times: once, or minus once where a sum is corrected for a line that it holds no longer. Every measure of a line is a
whole number, so that sums may be taken apart and put together again.
"""

from collections.abc import Collection
from typing import Final

from recovery.storage.report_sums import SUMS, Cut, Only

DAY: Final = "day"
"""The cut that feeds the chart: what failed on a day, and what of the lines was paid on it."""

KEYS: Final = {
    Cut.MONTH: "to_char(failed_at AT TIME ZONE :zone, 'YYYY-MM')",
    Cut.REASON: "reason",
    Cut.DECLINE_CLASS: "decline_class",
    Cut.BRAND: "brand",
    Cut.COUNTRY: "country",
    Cut.SEGMENT: "segment",
    Cut.TENURE: "tenure",
    Cut.CONTRACT: "contract",
    Cut.AMOUNT: "amount_band",
    Cut.EMAILS: "emails_sent::text",
    Cut.ARM: "arm",
    Cut.DAYS: """CASE WHEN recovered_at IS NULL THEN 'not recovered'
        WHEN recovered_at < failed_at + interval '1 day' THEN '00 first day'
        WHEN recovered_at < failed_at + interval '3 days' THEN '01 to 3 days'
        WHEN recovered_at < failed_at + interval '7 days' THEN '03 to 7 days'
        WHEN recovered_at < failed_at + interval '14 days' THEN '07 to 14 days'
        WHEN recovered_at < failed_at + interval '30 days' THEN '14 to 30 days'
        ELSE '30 days and more' END""",
}
"""How each key is worked out of a case's line of figures."""

EVERY_CUT: Final = (*(cut.value for cut in Cut), Only.SOURCE.value, Only.ATTEMPT.value, Only.HOUR.value, DAY)

_WON: Final = "state = 'recovered'"
_OURS: Final = f"{_WON} AND source = ANY(:credited)"
_MEASURES: Final = {
    "cases": "w",
    "recovered_cases": f"CASE WHEN {_WON} THEN w ELSE 0 END",
    "credited_cases": f"CASE WHEN {_OURS} THEN w ELSE 0 END",
    "unwritten_cases": f"CASE WHEN {_OURS} AND emails_sent = 0 THEN w ELSE 0 END",
    "open_cases": "CASE WHEN state = ANY(:open) THEN w ELSE 0 END",
    "lost_cases": "CASE WHEN state = 'lost' THEN w ELSE 0 END",
    "withdrawn_cases": "CASE WHEN state = 'withdrawn' THEN w ELSE 0 END",
    "recovery_seconds": "coalesce(w * floor(extract(epoch FROM recovered_at - failed_at))::bigint, 0)",
    **{
        f"{name}_minor": f"w * {name}_minor"
        for name in ("at_risk", "recovered", "credited", "refunded", "disputed", "fee")
    },
    "monthly_minor": f"CASE WHEN {_WON} THEN w * monthly_minor ELSE 0 END",
    "one_off_minor": "CASE WHEN contract = 'one-off' THEN w * recovered_minor ELSE 0 END",
    "open_minor": "CASE WHEN state = ANY(:open) THEN w * (at_risk_minor - recovered_minor) ELSE 0 END",
    "lost_minor": "CASE WHEN state = 'lost' THEN w * (at_risk_minor - recovered_minor) ELSE 0 END",
    "withdrawn_minor": "CASE WHEN state = 'withdrawn' THEN w * (at_risk_minor - recovered_minor) ELSE 0 END",
}
_MONTH: Final = KEYS[Cut.MONTH]
_DAY_OF: Final = "to_char({at} AT TIME ZONE :zone, 'YYYY-MM-DD')"


def added_up(cuts: Collection[str]) -> str:
    """A query over the relation ``lines``: month, cut, key, currency and the sums, for some of EVERY_CUT.

    Its parameters are zone, credited and open.
    """
    own = [cut for cut in Cut if cut.value in cuts]
    parts = [_by_keys(own)] if own else []
    if Only.SOURCE in cuts:
        parts.append(_by_source())
    tried = [name for name in (Only.ATTEMPT, Only.HOUR) if name in cuts]
    if tried:
        parts.append(_by_try(tried))
    if DAY in cuts:
        parts += _by_day()
    return "\nUNION ALL\n".join(parts)


def _by_keys(cuts: Collection[Cut]) -> str:
    marked = ", ".join(f"{measure} AS {name}" for name, measure in _MEASURES.items())
    keys = ", ".join(f"({KEYS[cut]}) AS by_{cut.value}" for cut in cuts)
    listed = ", ".join(f"('{cut.value}', by_{cut.value})" for cut in cuts)
    return f"""SELECT in_month AS month, k.cut, k.key, currency, {_summed({name: name for name in SUMS})}
FROM (SELECT {_MONTH} AS in_month, {marked}, {keys}, currency FROM lines) marked
CROSS JOIN LATERAL (VALUES {listed}) AS k (cut, key)
GROUP BY in_month, k.cut, k.key, currency"""  # noqa: S608 - names of our own


def _by_source() -> str:
    sums = {
        "cases": "w",
        "recovered_minor": "w * s.recovered",
        "refunded_minor": "w * s.refunded",
        "disputed_minor": "w * s.disputed",
    }
    return f"""SELECT {_MONTH} AS month, 'source' AS cut, s.source AS key, currency, {_summed(sums)}
FROM lines, unnest(sources, source_recovered, source_refunded, source_disputed) AS s (source, recovered, refunded, disputed)
GROUP BY 1, s.source, currency"""  # noqa: S608


def _by_try(names: Collection[Only]) -> str:
    sums = {
        "cases": "w",
        "recovered_cases": "CASE WHEN t.outcome = 2 THEN w ELSE 0 END",
        "open_cases": "CASE WHEN t.outcome = 0 THEN w ELSE 0 END",
        "recovered_minor": "w * t.minor",
    }
    place = {Only.ATTEMPT: "t.number", Only.HOUR: "t.slot"}
    listed = ", ".join(f"('{name.value}', {place[name]}::text)" for name in names)
    return f"""SELECT {_MONTH} AS month, k.cut, k.key, currency, {_summed(sums)}
FROM lines, unnest(try_numbers, try_slots, try_outcomes, try_minor) AS t (number, slot, outcome, minor)
CROSS JOIN LATERAL (VALUES {listed}) AS k (cut, key)
GROUP BY 1, k.cut, k.key, currency"""  # noqa: S608


def _by_day() -> list[str]:
    failed = {"cases": "w", "at_risk_minor": "w * at_risk_minor"}
    paid = {
        "cases": "w",
        "recovered_minor": "w * p.minor",
        "credited_minor": "CASE WHEN p.credited THEN w * p.minor ELSE 0 END",
    }
    return [
        f"""SELECT {_MONTH} AS month, '{DAY}' AS cut, {_DAY_OF.format(at="failed_at")} AS key, currency, {_summed(failed)}
FROM lines GROUP BY 1, 3, currency""",  # noqa: S608
        f"""SELECT {_MONTH} AS month, '{DAY}' AS cut, {_DAY_OF.format(at="p.at")} AS key, currency, {_summed(paid)}
FROM lines, unnest(paid_at, paid_minor, paid_credited) AS p (at, minor, credited)
GROUP BY 1, 3, currency""",  # noqa: S608
    ]


def _summed(measures: dict[str, str]) -> str:
    return ", ".join(
        f"sum({measures[name]})::bigint AS {name}" if name in measures else f"0::bigint AS {name}" for name in SUMS
    )
