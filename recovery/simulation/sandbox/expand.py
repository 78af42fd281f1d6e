"""`expand[]`: ids replaced by the objects they name.

Without it the engine's single read of an invoice with its payments would need several calls that production
does not make.
"""

from __future__ import annotations

from collections.abc import Iterable

from recovery.simulation.sandbox.errors import Json, JsonValue, invalid
from recovery.simulation.sandbox.settings import Shape
from recovery.simulation.sandbox.shapes import shown
from recovery.simulation.sandbox.store import Store

_DEPTH_MAX = 4  # Stripe's own limit


def expand(store: Store, answer: Json, paths: Iterable[str], shape: Shape) -> Json:
    """Replace ids in place along each dotted path.

    Raises Refused (400) for a property that does not exist or a path deeper than Stripe allows.
    """
    for path in paths:
        parts = path.split(".")
        if len(parts) > _DEPTH_MAX:
            raise invalid(f"You cannot expand more than {_DEPTH_MAX} levels of a property", param="expand")
        _walk(store, answer, parts, (path, shape))
    return answer


def _walk(store: Store, node: JsonValue, parts: list[str], where: tuple[str, Shape]) -> None:
    if not parts or node is None:
        return
    if isinstance(node, list):
        for item in node:
            _walk(store, item, parts, where)
        return
    path, shape = where
    head, rest = parts[0], parts[1:]
    if isinstance(node, dict):
        _include(store, node, head, shape)
    if not isinstance(node, dict) or head not in node:
        raise invalid(f"This property cannot be expanded ({path}).", param="expand")
    value = node[head]
    if isinstance(value, str):
        found = store.by_any_id(value)
        if found is None:
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        node[head] = value = shown(store, found, shape)
    _walk(store, value, rest, where)


def _include(store: Store, node: Json, head: str, shape: Shape) -> None:
    """Lists that an object carries only when asked for."""
    wanted = {
        ("invoice", "payments"): ("invoice_payment", "invoice", "/v1/invoice_payments"),
        ("customer", "subscriptions"): ("subscription", "customer", "/v1/subscriptions"),
        ("charge", "refunds"): ("refund", "charge", "/v1/refunds"),
    }.get((node.get("object", ""), head))
    if wanted is None or head in node:
        return
    kind, field, url = wanted
    rows = [shown(store, row, shape) for row in store.newest(kind, field, node["id"])]
    node[head] = {"object": "list", "data": rows, "has_more": False, "url": url}
