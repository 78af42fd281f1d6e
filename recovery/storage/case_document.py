"""A case as one JSON document that one statement reads or writes. Without it a case took four questions and forty values each time,
which cost a worker more than all that is decided about it.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import text

from recovery.cases.lifecycle import OPEN, OPEN_STEPS, State, StepState
from recovery.storage.tables import cases


def _listed(words: Iterable[str]) -> str:
    """Words as constants of SQL: partial indexes are used only where the planner can see them."""
    return ", ".join(f"'{word}'" for word in sorted(words))


_OPEN: Final = _listed(OPEN)
_WAITING: Final = _listed(OPEN_STEPS)
_OWED: Final = "jsonb_build_object('amount', jsonb_build_object('minor', {0}.amount_minor, 'currency', {0}.currency))"

# By the customer alone: a few rows, whatever the planner believes about states, where a list of all open cases would grow with them.
# A card that died on another invoice of the customer is dead for all that were open at that time, however that one ended. An entry
# that was mistyped has no number here: whether it is right by now each case judges by its own refusals.
_CASE: Final = f"""cases c CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE o.state IN ({_OPEN})) AS siblings,
        (array_agg(o.id ORDER BY o.failed_at, o.id COLLATE "C") FILTER (
            WHERE o.state = '{State.SILENT}' AND (o.failed_at, o.id COLLATE "C") < (c.failed_at, c.id COLLATE "C")))[1] AS elder,
        jsonb_agg(o.dead_cards) FILTER (
            WHERE coalesce(o.ended_at > c.failed_at, true) AND c.state IN ({_OPEN}) AND o.gateway = c.gateway
                AND o.dead_cards <> '[]') AS dead
    FROM cases o WHERE o.customer = c.customer AND o.id <> c.id
) others"""  # noqa: S608 - our own words
_DOCUMENT: Final = f"""
CAST(to_jsonb(c) || {_OWED.format("c")} || jsonb_build_object(
    'dead_cards', c.dead_cards || (
        SELECT coalesce(jsonb_agg(DISTINCT dead.card), '[]')
        FROM jsonb_array_elements(others.dead) AS lists (cards), jsonb_array_elements(lists.cards) AS dead (card)
        WHERE dead.card ->> 'fingerprint' IS NOT NULL AND dead.card NOT IN (SELECT jsonb_array_elements(c.dead_cards))),
    'attempts', (SELECT coalesce(jsonb_agg(to_jsonb(a) || {_OWED.format("a")} ORDER BY a.number), '[]')
        FROM attempts a WHERE a.case_id = c.id),
    'steps', (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'kind', s.kind, 'due_at', s.due_at, 'in_flight', s.state = '{StepState.IN_FLIGHT}') ORDER BY s.id), '[]')
        FROM steps s WHERE s.case_id = c.id AND s.state IN ({_WAITING})),
    'exhausted', (SELECT to_jsonb(e) FROM exhaustions e WHERE e.case_id = c.id)
) AS text) AS document"""  # noqa: S608
READ: Final = text(f"SELECT {_DOCUMENT} FROM {_CASE} WHERE c.id = :case_id")  # noqa: S608
"""The case as codec.case_from takes it."""

READ_ALL: Final = text(f"""
SELECT {_DOCUMENT},
    EXISTS (SELECT FROM journal j WHERE j.case_id = c.id AND j.fact_key = :fact_key) AS known,
    ARRAY(SELECT f.charge_id FROM foreign_charges f WHERE f.case_id = c.id) AS noted,
    others.siblings,
    CASE WHEN others.elder IS NOT NULL THEN CAST(jsonb_build_object('case_id', others.elder, 'due_at',
        (SELECT min(s.due_at) FROM steps s WHERE s.case_id = others.elder AND s.state IN ({_WAITING}))) AS text) END AS elder
FROM {_CASE} WHERE c.id = :case_id""")  # noqa: S608
"""The case, and what else a decision asks for that is found by the case alone."""

_BY_US: Final = ("id", "amount_minor", "currency", "opened_at", "changed_at")
_NAMES: Final = tuple(f'"{column.name}"' for column in cases.columns if column.name not in _BY_US)
_GIVEN: Final = "jsonb_populate_record(CAST(NULL AS cases), CAST(:document AS jsonb)) given"

OPEN_ONE: Final = text(f"""
INSERT INTO cases (id, amount_minor, currency, opened_at, changed_at, {", ".join(_NAMES)})
SELECT :case_id, :amount_minor, :currency, :now, :now, {", ".join(f"given.{name}" for name in _NAMES)} FROM {_GIVEN}
ON CONFLICT DO NOTHING RETURNING id""")  # noqa: S608
"""A new case; no row when the obligation has one already."""

CHANGE: Final = text(f"""
WITH changed AS (
    UPDATE cases SET amount_minor = :amount_minor, currency = :currency, changed_at = :now,
        {", ".join(f"{name} = given.{name}" for name in _NAMES)}
    FROM {_GIVEN} WHERE cases.id = :case_id
)
INSERT INTO journal (case_id, fact_key, fact, state, reason, at, booked_at, grounds)
VALUES (:case_id, :fact_key, :fact, :state, :reason, :now, :booked_at, CAST(:grounds AS jsonb)) RETURNING id""")  # noqa: S608
"""The case as it became, and the line of its journal."""
