"""Lists as Stripe pages them: newest first, by cursor.

Without real pages an import or a backfill that reads only the first page would pass every test.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from recovery.simulation.sandbox.errors import Json, JsonValue, invalid, no_such
from recovery.simulation.sandbox.form import as_int

_LIMIT_DEFAULT = 10  # Stripe's
_LIMIT_MAX = 100  # Stripe's
PAGE_PARAMS = frozenset({"limit", "starting_after", "ending_before", "expand[]"})
CREATED_PARAMS = frozenset({"created", "created[gt]", "created[gte]", "created[lt]", "created[lte]"})


def page(rows: Iterable[Json], params: dict[str, Any], url: str) -> Json:
    """One page of rows (given newest first).

    Raises Refused (400) for a limit outside 1..100 or a cursor that names nothing in this list.
    """
    limit = as_int(str(params.get("limit", _LIMIT_DEFAULT)), "limit")
    if not 1 <= limit <= _LIMIT_MAX:
        raise invalid(f"This value must be between 1 and {_LIMIT_MAX}.", param="limit")
    found = [row for row in rows if _created_fits(row, params.get("created"))]
    has_more = False
    if "starting_after" in params:
        found = found[_position(found, params["starting_after"], "starting_after") + 1 :]
    if "ending_before" in params:
        before = found[: _position(found, params["ending_before"], "ending_before")]
        has_more = len(before) > limit
        found = before[-limit:]
    else:
        has_more = len(found) > limit
        found = found[:limit]
    return {"object": "list", "data": found, "has_more": has_more, "url": url}


def _position(rows: list[Json], object_id: str, param: str) -> int:
    for position, row in enumerate(rows):
        if row["id"] == object_id:
            return position
    raise no_such("object", object_id, param=param, status=400)


def _created_fits(row: Json, wanted: JsonValue) -> bool:
    if wanted is None:
        return True
    created: int = row["created"]
    if isinstance(wanted, str):
        return created == as_int(wanted, "created")
    tests = {
        "gt": lambda bound: created > bound,
        "gte": lambda bound: created >= bound,
        "lt": lambda bound: created < bound,
        "lte": lambda bound: created <= bound,
    }
    return all(tests[name](as_int(value, f"created[{name}]")) for name, value in wanted.items())
