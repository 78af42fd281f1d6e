"""The list of cases and one case with its story. Without them nobody could see why the engine waits."""

import base64
import binascii
import json
from datetime import datetime
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recovery.cases.lifecycle import State
from recovery.runtime.web.render import rendered
from recovery.runtime.web.schedule import schedule_of
from recovery.runtime.wiring import Wiring
from recovery.storage.aside_store import steps_set_aside
from recovery.storage.case_queries import Place, case_file, find_case, list_cases
from recovery.storage.case_store import NoSuchCase
from recovery.storage.event_store import events_set_aside

PAGE = 50
"""Cases on one page: about two screens."""

ASIDE_MAX = 10
"""Steps, and events, set aside that the list names: what many have in common is known after ten."""

SEARCH_MAX = 200
"""No id of a gateway is longer."""


class CasePages:
    """The endpoints about cases."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def many(self, request: Request) -> Response:
        """Cases, last changed first, by state, or those that an id means."""
        state = _state(request.query_params.get("state", ""))
        search = request.query_params.get("q", "").strip()[:SEARCH_MAX]
        behind = _place(request.query_params.get("behind", ""))
        with self._wiring.database.connect() as tx:
            lines, more = list_cases(tx, states=[state] if state else (), search=search, behind=behind, limit=PAGE)
            aside = steps_set_aside(tx, limit=ASIDE_MAX)
            events_aside = events_set_aside(tx, limit=ASIDE_MAX)
        kept = {"state": state.value if state else "", "q": search}
        following = urlencode({name: value for name, value in kept.items() if value} | {"behind": _token(more)})
        values = {
            "title": "Cases",
            "lines": lines,
            "aside": aside,
            "events_aside": events_aside,
            "states": [each.value for each in State],
            "chosen": kept["state"],
            "search": search,
            "continued": behind is not None,
            "following": following if more else "",
        }
        return rendered("cases.html", values)

    def one(self, request: Request) -> Response:
        """One case; an invoice or charge id leads to its case."""
        reference = request.path_params["case_id"][:SEARCH_MAX]
        with self._wiring.database.connect() as tx:
            try:
                case_id = find_case(tx, reference)
                if case_id != reference:
                    return RedirectResponse(f"/cases/{case_id}")
                found = case_file(tx, case_id)
            except NoSuchCase as error:
                raise HTTPException(404, detail=str(error)) from error
        waiting = [step for step in found.steps if step.state in ("planned", "in_flight")]
        values = {"title": found.case.id, "file": found, "case": found.case, "waiting": waiting}
        return rendered("case.html", values | schedule_of(self._wiring, found.case))


def _state(name: str) -> State | None:
    try:
        return State(name) if name else None
    except ValueError as error:
        raise HTTPException(400, detail=f"there is no state {name!r}") from error


def _token(place: Place | None) -> str:
    """A place for the address bar."""
    if place is None:
        return ""
    return base64.urlsafe_b64encode(json.dumps([place.changed_at.isoformat(), place.id]).encode()).decode()


def _place(token: str) -> Place | None:
    if not token:
        return None
    try:
        changed_at, case_id = json.loads(base64.urlsafe_b64decode(token))
        at = datetime.fromisoformat(changed_at)
        if at.tzinfo is None or not isinstance(case_id, str) or "\x00" in case_id:
            raise ValueError(token)
        return Place(changed_at=at, id=case_id)
    except (ValueError, TypeError, binascii.Error) as error:
        raise HTTPException(400, detail="the place in the list is not readable; begin at the first page") from error
