"""What the address bar asks for. Without one reading of it the page and its exports would be about different cases."""

from datetime import datetime
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from recovery.reporting.period import Asked, PeriodInvalid, first_and_last_day, span_of
from recovery.reporting.views import View
from recovery.storage.report_sums import Cut, Only, Span

PERIOD: Final = ("month", "from", "to", "zone")
NARROWING: Final[dict[str, Cut | Only]] = {
    **{("cohort" if cut is Cut.MONTH else cut.value): cut for cut in Cut},
    **{only.value: only for only in Only},
}
"""Names in the address bar that narrow; a link with them shows the same to everybody."""

KEY_MAX: Final = 200
"""No code, segment or id is longer."""


def asked_of(request: Request) -> dict[str, str]:
    """Everything of the address bar that matters, and nothing else."""
    given = request.query_params
    found = {name: given.get(name, "").strip()[:KEY_MAX] for name in (*PERIOD, *NARROWING)}
    if any("\x00" in value for value in found.values()):
        raise HTTPException(400, detail="the address holds what no key can be; write one like 2026-10")
    return found


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
        raise HTTPException(400, detail=f"there is no table {wanted!r}; there are {', '.join(View)}") from error


def narrowed_by(asked: dict[str, str]) -> dict[str, str]:
    """The keys that narrow, for showing them."""
    return {name: asked[name] for name in NARROWING if asked[name]}
