"""What the address bar asks for. Without one reading of it the page and its exports would be about different cases."""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from recovery.cases.lifecycle import Source, State
from recovery.reporting.period import NARROWING, Asked, PeriodInvalid, first_and_last_day, span_of
from recovery.reporting.views import View
from recovery.storage.report_sums import MONEY_KEYS, Cut, Only, Span

PERIOD: Final = ("month", "from", "to", "zone")
BESIDES: Final = ("by", "page", "figure", "late", "which", "penalty")
"""What else an address may have: which tables, and which list behind a figure."""

KEY_MAX: Final = 200
"""No code, segment or id is longer."""

_CHOICES: Final[dict[str, Collection[str]]] = {
    Only.STATE: ("open", *State),
    Only.SOURCE: tuple(Source),
    Only.MONEY: MONEY_KEYS,
}
_FORMS: Final = {
    Only.CURRENCY: (re.compile("[a-z]{3}"), "three letters like usd"),
    Only.ATTEMPT: (re.compile("[0-9]{1,9}"), "a number like 2"),
    Only.HOUR: (re.compile("[0-9]|[1-9][0-9]|1[0-5][0-9]|16[0-7]"), "an hour of the week, 0 (Monday, midnight) to 167"),
    Cut.EMAILS: (re.compile("[0-9]{1,9}"), "a number like 2"),
    "cohort": (re.compile("[0-9]{4}-[0-9]{2}"), "a month like 2026-10"),
}
"""What a key must look like, where that is known: a mistyped one would find nothing, and look like a month without failures."""


def asked_of(request: Request) -> dict[str, str]:
    """Everything of the address bar that matters. Raises HTTPException 400 for whatever is not understood."""
    given, names = request.query_params, (*PERIOD, *NARROWING)
    for name in given:
        if name not in names and name not in BESIDES:
            raise HTTPException(400, detail=f"{name[:40]!r} is nothing to ask for; there are {', '.join(names)} and by")
        if name != "by" and len(given.getlist(name)) > 1:
            raise HTTPException(400, detail=f"{name} is given twice; give it once")
    found = {name: given.get(name, "").strip() for name in names}
    if any("\x00" in value or len(value) > KEY_MAX for value in found.values()):
        raise HTTPException(400, detail="the address holds what no key can be; write one like 2026-10")
    found["currency"] = found["currency"].lower()
    if len(found["country"]) == 2:
        found["country"] = found["country"].upper()
    for name, value in found.items():
        if value:
            _understood(name, value)
    return found


def _understood(name: str, value: str) -> None:
    """Raise HTTPException 400 for a key that no case can have."""
    if name in _CHOICES and value not in _CHOICES[name]:
        raise HTTPException(400, detail=f"{name}: there is no {value[:40]!r}; there are {', '.join(_CHOICES[name])}")
    if name in _FORMS:
        form, words = _FORMS[name]
        if not form.fullmatch(value):
            raise HTTPException(400, detail=f"{name}: {value[:40]!r} cannot be; write {words}")


def period_asked(request: Request, *, zone: str, now: datetime) -> dict[str, str]:
    """The same; this month where no period is asked for. Raises HTTPException 400 with a hint."""
    asked = asked_of(request)
    if not (asked["month"] or asked["from"] or asked["to"]):
        asked["month"] = f"{first_and_last_day(span_asked(asked, zone=zone, now=now))[1]:%Y-%m}"
    return asked


def span_asked(asked: dict[str, str], *, zone: str, now: datetime) -> Span:
    """The span and keys that were asked for. Raises HTTPException 400 with a hint."""
    period = Asked(
        month=asked["month"] or None,
        first=asked["from"] or None,
        last=asked["to"] or None,
        zone=asked["zone"] or zone,
        only=tuple((what, asked[name]) for name, what in NARROWING.items() if asked[name]),
    )
    try:
        return span_of(period, now=now)
    except PeriodInvalid as error:
        raise HTTPException(400, detail=str(error)) from error


def views_asked(request: Request, *, otherwise: tuple[View, ...]) -> tuple[View, ...]:
    """The tables asked for by ``by``, several allowed, and ``all``. Raises HTTPException 400."""
    wanted = request.query_params.getlist("by")
    if "all" in wanted:
        return tuple(View)
    try:
        return tuple(View(name) for name in wanted) or otherwise
    except ValueError as error:
        raise HTTPException(400, detail=f"by: there is no table {wanted!r}; there are {', '.join(View)}") from error
