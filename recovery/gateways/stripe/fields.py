"""Tolerant access to Stripe's JSON. Without it one missing or odd field would end a worker instead of being a None."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]
"""Read only; what JSON was read into is a dict, and asking for that is many times cheaper than for any mapping."""


def part(value: object, *path: str) -> object:
    """The value at a path of keys; None as soon as one step is missing or is no object."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text(value: object, *path: str) -> str | None:
    """A non-empty string at the path, else None."""
    found = part(value, *path)
    return found if isinstance(found, str) and found else None


def whole(value: object, *path: str) -> int | None:
    """An integer at the path, else None."""
    found = part(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def flag(value: object, *path: str) -> bool:
    """Whether the value at the path is exactly true."""
    return part(value, *path) is True


def mapping(value: object, *path: str) -> Json | None:
    """An object at the path, else None."""
    found = part(value, *path)
    return found if isinstance(found, dict) else None


def ident(value: object, *path: str) -> str | None:
    """The id at the path, whether Stripe gave the bare id or the expanded object."""
    found = part(value, *path)
    if isinstance(found, dict):
        found = found.get("id")
    return found if isinstance(found, str) and found else None


def instant(value: object, *path: str) -> datetime | None:
    """Unix seconds at the path as an aware instant; None when absent or outside the calendar."""
    seconds = whole(value, *path)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return None


def rows(value: object, *path: str) -> Iterator[Json]:
    """The objects of a list at the path, whether a plain array or one of Stripe's list objects."""
    found = part(value, *path)
    listed = part(found, "data") if isinstance(found, dict) else found
    if isinstance(listed, list):
        yield from (row for row in listed if isinstance(row, dict))
