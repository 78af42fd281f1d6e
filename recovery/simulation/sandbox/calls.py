"""One API call, read and checked, on its way to a handler.

Without it each handler would parse the request again, each in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json
from recovery.simulation.sandbox.expand import expand
from recovery.simulation.sandbox.ledger import Cause
from recovery.simulation.sandbox.paging import page
from recovery.simulation.sandbox.shapes import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a handler gets."""

    core: Core
    path: str
    ids: tuple[str, ...]
    params: dict[str, Any]
    cause: Cause

    @property
    def expands(self) -> list[str]:
        """The `expand[]` paths."""
        return list(self.params.get("expand", ()))

    def show(self, thing: Json) -> Json:
        """The answer for one object."""
        shape = self.core.options.shape
        if thing["object"] == "event":
            shape = "basil"  # events were shaped when they were emitted
        return expand(self.core.store, shown(self.core.store, thing, shape), self.expands, shape)

    def show_page(self, rows: Iterable[Json]) -> Json:
        """The answer for a list, given newest first."""
        answer = page(rows, self.params, self.path)
        store, shape = self.core.store, self.core.options.shape
        answer["data"] = [shown(store, row, shape) for row in answer["data"]]
        return expand(store, answer, self.expands, shape)


Handler = Callable[[Call], Json]
