"""Rendering the published page of the sandbox from its own tables.

Without rendering, the page would promise endpoints that are gone and conceal those that came.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.resources import files

from recovery.simulation.sandbox.cards import TEST_CARDS
from recovery.simulation.sandbox.control import CONTROL
from recovery.simulation.sandbox.endpoints import ENDPOINTS
from recovery.simulation.sandbox.event_types import EVENT_TYPES
from recovery.simulation.sandbox.faults import PAY_KINDS, WEBHOOK_KINDS
from recovery.simulation.sandbox.paging import CREATED_PARAMS, PAGE_PARAMS
from recovery.simulation.sandbox.settings import SandboxOptions
from recovery.simulation.sandbox.templates import CARD, ONLY_WITH, TEMPLATES
from recovery.simulation.world.parameters import Cause
from recovery.simulation.world.places import PLACES

_COMMON = PAGE_PARAMS | CREATED_PARAMS


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines: list[tuple[str, ...]] = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _ticked(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _endpoints() -> str:
    rows = [(f"`{one.method} {one.path}`", one.summary, _ticked(sorted(one.params - _COMMON))) for one in ENDPOINTS]
    return _table(("endpoint", "does", "parameters"), rows)


def _objects() -> str:
    rows = [
        (f"`{kind}`", _ticked(sorted({"id", "object", *fields})), _ticked(ONLY_WITH.get(kind, [])))
        for kind, fields in TEMPLATES.items()
    ]
    rows.append(("`card` of a payment method", _ticked(sorted(CARD)), ""))
    return _table(("object", "fields", "only by type, `expand` or legacy shape"), rows)


def rendered() -> str:
    """The whole page as Markdown."""
    options = SandboxOptions()
    manual = files(__package__).joinpath("manual.md").read_text("utf-8")
    cards = [(f"`{name}`", card.brand, f"`{card.behaviour}`") for name, card in TEST_CARDS.items()]
    control = [(f"`{method} {path}`",) for method, path, _ in CONTROL]
    return manual.format(
        endpoints=_endpoints(),
        objects=_objects(),
        cards=_table(("name", "brand", "answers"), cards),
        concurrency=options.webhook_concurrency,
        attempts=options.webhook_attempts_max,
        types=_ticked(EVENT_TYPES),
        pay_faults=_ticked(PAY_KINDS),
        webhook_faults=_ticked(WEBHOOK_KINDS),
        control=_table(("call",), control),
        countries=", ".join(place.country for place in PLACES),
        causes=", ".join(cause.value for cause in Cause),
    )


if __name__ == "__main__":
    sys.stdout.write(rendered())
