"""Keeps one line of figures a case up to date. Without it a month of a large merchant would be added up from millions of rows.

What is read never depends on this having run: ``case_figures_now`` works out afresh whatever changed since its line was made. Each
run also makes the oldest lines anew, so that a line that is wrong for whatever reason does not stay wrong.
"""

from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, text

from recovery.storage.report_tables import case_figures

log = structlog.get_logger(__name__)

REMADE: Final = 100
"""Oldest lines made anew by each run; a run every half minute goes round a hundred thousand cases in about eight hours."""

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


def roll_up(database: Engine, *, machine_now: datetime, limit: int) -> int:
    """Make the lines of cases that changed, a bounded batch, and the oldest ones anew; how many changed cases were taken.

    Zero also when another process is at it.
    """
    with database.begin() as tx:
        if not tx.execute(text("SELECT pg_try_advisory_xact_lock(:n)"), {"n": _LOCK}).scalar_one():
            return 0
        # The lines are worked out in statements of their own, which see everything that those marks were committed with.
        taken = list(tx.execute(text(_TAKE), {"limit": limit}).scalars())
        _make(tx, taken, machine_now)
        oldest = list(tx.execute(text(_OLDEST), {"limit": REMADE}).scalars())
        wrong = list(tx.execute(text(_DIFFERENT), {"cases": oldest}).scalars())
        if wrong:
            log.warning("figures_repaired", cases=wrong[:5], count=len(wrong))
        _make(tx, oldest, machine_now)
    return len(taken)


def waiting_cases(tx: Connection) -> int:
    """How many marks of changed cases wait to be rolled up."""
    return int(tx.execute(text("SELECT count(*) FROM report_stale")).scalar_one())


def _make(tx: Connection, cases: list[str], machine_now: datetime) -> None:
    if cases:
        tx.execute(text(_MAKE), {"cases": cases, "made_at": machine_now})
