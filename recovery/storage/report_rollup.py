"""Keeps one line of figures a case, and sums of lines a month, up to date. Without it a year of a large merchant would be added up from
millions of rows.

What is read never depends on this having run: readers work out afresh whatever changed since its line was made. Each run also makes
the oldest lines anew and, once an hour and month, the sums of a month, so that what is wrong for whatever reason does not stay wrong.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Engine, RowMapping, text

from recovery.cases.lifecycle import CREDITED, OPEN
from recovery.storage.report_cohorts import LINE
from recovery.storage.report_lines import EVERY_CUT, added_up
from recovery.storage.report_months import months_of
from recovery.storage.report_sums import SUMS, Span
from recovery.storage.report_tables import case_figures

log = structlog.get_logger(__name__)

REMADE: Final = 100
"""Oldest lines made anew by each run; a run every half minute goes round a hundred thousand cases in about eight hours."""

ADDED_UP_EVERY: Final = timedelta(hours=1)
"""How old the sums of a month become before they are made anew from their lines: forty thousand of them take a second or two."""

_LOCK: Final = 7_346_022
"""Advisory lock number: one run at a time, or an older line could overwrite a newer one."""

_NAMES: Final = [column.name for column in case_figures.columns if column.name != "made_at"]
_OTHERS: Final = [name for name in _NAMES if name != "case_id"]

_TAKE: Final = (
    """DELETE FROM report_stale WHERE id IN (SELECT id FROM report_stale ORDER BY id LIMIT :limit) RETURNING case_id"""
)
_OLDEST: Final = "SELECT case_id FROM case_figures ORDER BY made_at LIMIT :limit"
_MAKE: Final = f"""
INSERT INTO case_figures ({", ".join(_NAMES)}, made_at)
SELECT {", ".join(_NAMES)}, :made_at FROM case_figures_live WHERE case_id = ANY(:cases)
ON CONFLICT (case_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in (*_OTHERS, "made_at"))}
"""  # noqa: S608 - names of our own columns
_DIFFERENT: Final = f"""
SELECT f.case_id FROM case_figures f JOIN case_figures_live l USING (case_id)
WHERE f.case_id = ANY(:cases) AND NOT EXISTS (SELECT 1 FROM report_stale s WHERE s.case_id = f.case_id)
AND ({", ".join(f"f.{name}" for name in _OTHERS)}) IS DISTINCT FROM ({", ".join(f"l.{name}" for name in _OTHERS)})
"""  # noqa: S608

_KEYS: Final = ("month", "cut", "key", "currency")
_ADD: Final = f"""
WITH lines AS (SELECT CAST(:w AS integer) AS w, {LINE} FROM case_figures WHERE case_id = ANY(:cases))
INSERT INTO figure_sums (zone, {", ".join((*_KEYS, *SUMS))})
SELECT :zone, {", ".join(_KEYS)}, {", ".join(f"sum({name})" for name in SUMS)} FROM ({added_up(EVERY_CUT)}) parts
WHERE month IN (SELECT month FROM figure_months WHERE zone = :zone) GROUP BY {", ".join(_KEYS)}
ON CONFLICT (zone, {", ".join(_KEYS)}) DO UPDATE SET {", ".join(f"{name} = figure_sums.{name} + excluded.{name}" for name in SUMS)}
"""  # noqa: S608
_FORGET: Final = f"DELETE FROM figure_sums WHERE zone = :zone AND month = :month RETURNING {', '.join((*_KEYS, *SUMS))}"  # noqa: S608
_ADD_UP: Final = f"""
WITH lines AS (SELECT 1 AS w, {LINE} FROM case_figures WHERE failed_at >= :begins_at AND failed_at < :ends_at)
INSERT INTO figure_sums (zone, {", ".join((*_KEYS, *SUMS))})
SELECT :zone, {", ".join(_KEYS)}, {", ".join(f"sum({name})" for name in SUMS)} FROM ({added_up(EVERY_CUT)}) parts
GROUP BY {", ".join(_KEYS)} RETURNING {", ".join((*_KEYS, *SUMS))}
"""  # noqa: S608
_ENDS: Final = "SELECT min(failed_at), max(failed_at) FROM case_figures"
_NEXT_MONTH: Final = """
SELECT n.month, n.begins_at, n.ends_at, m.made_at IS NULL AS missing
FROM unnest(CAST(:months AS text[]), CAST(:begin AS timestamptz[]), CAST(:end AS timestamptz[])) AS n (month, begins_at, ends_at)
LEFT JOIN figure_months m ON m.zone = :zone AND m.month = n.month
WHERE m.made_at IS NULL OR m.made_at < :older_than ORDER BY m.made_at NULLS FIRST, n.month DESC LIMIT 1"""
_MONTH_MADE: Final = """
INSERT INTO figure_months (zone, month, begins_at, ends_at, made_at) VALUES (:zone, :month, :begins_at, :ends_at, :made_at)
ON CONFLICT (zone, month) DO UPDATE SET made_at = excluded.made_at, begins_at = excluded.begins_at, ends_at = excluded.ends_at"""


def roll_up(database: Engine, *, machine_now: datetime, limit: int, zone: str) -> bool:
    """Make the lines of cases that changed, a bounded batch, and the oldest ones anew; whether more may wait.

    Once nothing waits, one month of ``zone`` is added up: a new one, after which another may be new, or one whose sums are old.
    False also when another process is at it.
    """
    with database.begin() as tx:
        if not tx.execute(text("SELECT pg_try_advisory_xact_lock(:n)"), {"n": _LOCK}).scalar_one():
            return False
        # The lines are worked out in statements of their own, which see everything that those marks were committed with.
        taken = list(tx.execute(text(_TAKE), {"limit": limit}).scalars())
        oldest = set(tx.execute(text(_OLDEST), {"limit": REMADE}).scalars())
        # A line whose mark was taken just now is old, not wrong.
        wrong = list(tx.execute(text(_DIFFERENT), {"cases": sorted(oldest - set(taken))}).scalars())
        if wrong:
            log.warning("figures_repaired", cases=wrong[:5], count=len(wrong))
        _make(tx, sorted({*taken, *oldest}), machine_now, zone)
        return len(taken) == limit or _add_up_a_month(tx, machine_now, zone)


def _make(tx: Connection, cases: list[str], machine_now: datetime, zone: str) -> None:
    """Make lines anew; the sums lose the lines as they were and gain them as they are."""
    if not cases:
        return
    summed = tx.execute(text("SELECT count(*) FROM figure_months WHERE zone = :zone"), {"zone": zone}).scalar_one()
    if summed:
        tx.execute(text(_ADD), _given(zone) | {"cases": cases, "w": -1})
    tx.execute(text(_MAKE), {"cases": cases, "made_at": machine_now})
    if summed:
        tx.execute(text(_ADD), _given(zone) | {"cases": cases, "w": 1})


def _add_up_a_month(tx: Connection, machine_now: datetime, zone: str) -> bool:
    """Add up the lines of a month that is not, or of the one that was added up longest ago; whether it is a new one."""
    for table in ("figure_sums", "figure_months"):
        tx.execute(text(f"DELETE FROM {table} WHERE zone <> :zone"), {"zone": zone})  # noqa: S608 - our own
    month = _next_month(tx, zone, older_than=machine_now - ADDED_UP_EVERY)
    if month is None:
        return False
    place = {"zone": zone, "month": month["month"], "begins_at": month["begins_at"], "ends_at": month["ends_at"]}
    before = {tuple(row) for row in tx.execute(text(_FORGET), {"zone": zone, "month": month["month"]})}
    given = _given(zone) | {"begins_at": month["begins_at"], "ends_at": month["ends_at"]}
    after = {tuple(row) for row in tx.execute(text(_ADD_UP), given)}
    tx.execute(text(_MONTH_MADE), place | {"made_at": machine_now})
    wrong = {row[:4] for row in before ^ after if any(row[4:])}
    if wrong and not month["missing"]:
        log.warning(
            "sums_repaired", month=month["month"], sums=[list(key) for key in sorted(wrong)[:5]], count=len(wrong)
        )
    return bool(month["missing"])


def _next_month(tx: Connection, zone: str, *, older_than: datetime) -> RowMapping | None:
    first, last = tx.execute(text(_ENDS)).one()
    if first is None:
        return None
    months = list(months_of(Span(start=first, end=last + timedelta.resolution, zone=zone)))
    given = {
        "months": [month.name for month in months],
        "begin": [month.begins_at for month in months],
        "end": [month.ends_at for month in months],
        "zone": zone,
        "older_than": older_than,
    }
    return tx.execute(text(_NEXT_MONTH), given).mappings().first()


def _given(zone: str) -> dict[str, Any]:
    return {
        "zone": zone,
        "credited": sorted(source.value for source in CREDITED),
        "open": sorted(state.value for state in OPEN),
    }
