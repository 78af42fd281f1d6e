"""Every object the sandbox speaks, with all its fields and their values when nothing was said.

Without one place for the fields (`objects.json`) an object built in one corner would lack what another corner
writes, and the published table of fields would be a guess.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

Json = dict[str, Any]
JsonValue = Any

_LOADED: Json = json.loads(files(__package__).joinpath("objects.json").read_text("utf-8"))
TEMPLATES: dict[str, Json] = _LOADED["objects"]
CARD: Json = _LOADED["card"]
ONLY_WITH: dict[str, list[str]] = _LOADED["only_with"]
"""Fields that appear only for some types, through `expand`, or in the legacy shape."""


def fresh(value: JsonValue) -> JsonValue:
    """A copy that shares no dictionary or list; several times faster than copy.deepcopy on plain JSON."""
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    if isinstance(value, list):
        return [fresh(item) for item in value]
    return value


def build(kind: str, object_id: str, **fields: JsonValue) -> Json:
    """A new object of a kind with every published field.

    Raises KeyError for a field that the kind does not publish.
    """
    template = TEMPLATES[kind]
    unknown = set(fields) - set(template) - set(ONLY_WITH.get(kind, ()))
    if unknown:
        raise KeyError(f"{kind} has no {sorted(unknown)}")
    made: Json = {"id": object_id, "object": kind}
    made.update(fresh(template))
    made.update(fields)
    return made
