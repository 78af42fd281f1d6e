"""Form bodies and query strings as Stripe's clients write them.

Without a strict reading of `expand[0]`, `created[gte]` and `metadata[order]` a misspelt parameter would pass
unnoticed here and fail at the real gateway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from recovery.simulation.sandbox.errors import invalid, unsupported

_KEY = re.compile(r"^([A-Za-z0-9_]+)((?:\[[^\[\]]*\])*)$")
_PART = re.compile(r"\[([^\[\]]*)\]")


def pairs(text: str) -> list[tuple[str, str]]:
    """The decoded key and value pairs of a form body or query string, in order."""
    return parse_qsl(text, keep_blank_values=True)


def canonical(key: str) -> str:
    """The name of a parameter in the endpoint table: indices become `[]`, metadata keys `[*]`."""
    if key.startswith("metadata["):
        return "metadata[*]"
    return re.sub(r"\[\d*\]", "[]", key)


def check_known(found: Iterable[tuple[str, str]], known: frozenset[str]) -> None:
    """Refuse with 501 any parameter that the table does not list."""
    for key, _ in found:
        if canonical(key) not in known:
            raise unsupported(f"The sandbox does not know the parameter '{key}' here.", param=key)


def nested(found: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nested dictionaries and lists from bracketed keys; values stay strings.

    Raises Refused (400) for a key that cannot be read.
    """
    root: dict[str, Any] = {}
    for key, value in found:
        match = _KEY.match(key)
        if match is None:
            raise invalid(f"Invalid parameter name: {key}", param=key)
        path = [match.group(1), *_PART.findall(match.group(2))]
        if path[-1] == "" or path[-1].isdigit():
            _append(root, path[:-1], value)
        else:
            _leaf(root, path[:-1])[path[-1]] = value
    return root


def _leaf(root: dict[str, Any], path: list[str]) -> dict[str, Any]:
    node = root
    for part in path:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise invalid(f"Invalid nesting of {part}", param=part)
        node = child
    return node


def _append(root: dict[str, Any], path: list[str], value: str) -> None:
    node = _leaf(root, path[:-1])
    values = node.setdefault(path[-1], [])
    if not isinstance(values, list):
        raise invalid(f"Invalid nesting of {path[-1]}", param=path[-1])
    values.append(value)


def as_bool(value: str, param: str) -> bool:
    """A boolean parameter; raises Refused (400) for anything but true and false."""
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", param=param, code="parameter_invalid_boolean")
    return value == "true"


def as_int(value: str, param: str) -> int:
    """An integer parameter; raises Refused (400)."""
    if not re.fullmatch(r"-?\d{1,18}", value):
        raise invalid(f"Invalid integer: {value}", param=param, code="parameter_invalid_integer")
    return int(value)
