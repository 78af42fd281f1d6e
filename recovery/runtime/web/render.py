"""Makes pages from templates. Without strict rendering a missing value would be an empty place that nobody notices."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from recovery.reporting.figures import WEEKDAYS
from recovery.reporting.table import Kind, money, shown
from recovery.runtime.web.drill import drilled, hour_address
from recovery.runtime.web.roles import sees_money
from recovery.sentences import points_of
from recovery.storage.user_store import Session

FOLDER = Path(__file__).parent

SIGNED_IN: ContextVar[Session | None] = ContextVar("signed_in", default=None)
"""Who reads the page that is being made; each request has a context of its own."""


def _instant(at: datetime | None) -> Markup:
    """An instant as people read it, in UTC, and as machines read it."""
    if at is None:
        return Markup("–")
    return Markup('<time datetime="{}">{}</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%a %d %b %Y %H:%M} UTC")


def _sentence(fact: str) -> str:
    """A fact's name as people read it: "PaymentFailed" is "Payment failed"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", fact).capitalize()


def _asked(name: str, value: str) -> str:
    """A key of the address as people read it: hour 57 is Wed 09."""
    if name == "hour" and value.isdecimal():
        return f"hour: {WEEKDAYS[int(value) // 24 % 7]} {int(value) % 24:02}"
    if name == "late":
        return "booked after the month was closed"
    return f"{name}: {value}".replace("_", " ")


_environment = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["instant"] = _instant
_environment.filters["sentence"] = _sentence
_environment.filters["points"] = points_of
_environment.filters["words"] = lambda text: str(text).replace("_", " ")
_environment.globals["asked_words"] = _asked
_environment.globals["shown"] = shown
_environment.globals["money"] = money
_environment.globals["Kind"] = Kind
_environment.globals["sees_money"] = sees_money
_environment.globals["drilled"] = drilled
_environment.globals["hour_address"] = hour_address


_environment.globals["style"] = lambda: Markup((FOLDER / "static" / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file


def page_of(template: str, values: Mapping[str, object]) -> str:
    """A page as text. Raises jinja2.UndefinedError when a value is missing."""
    return _environment.get_template(template).render({"signed_in": SIGNED_IN.get(), **values})


def rendered(
    template: str, values: Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A page. Raises jinja2.UndefinedError when a value is missing."""
    return HTMLResponse(page_of(template, values), status_code=status, headers=headers)
