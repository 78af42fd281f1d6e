"""What two rule packs say differently. Without it a field that nobody thought of would change unseen when an edition does.

The whole values are compared, field by field at any depth, whatever their fields are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from recovery.declines.networks import RulePack

_NAMES = frozenset({"edition"})
"""What names a pack is no rule of it."""

_NOTHING = object()


def differences(before: RulePack, after: RulePack) -> list[str]:
    """Each difference on a line: where, what it was and what it is: "decline codes 57 advice: may_retry → never_again"."""
    old, new = ({k: v for k, v in asdict(pack).items() if k not in _NAMES} for pack in (before, after))
    return list(_between((), old, new))


def _between(where: tuple[str, ...], old: Any, new: Any) -> Iterator[str]:  # noqa: ANN401 - any value of a pack
    if old == new:
        return
    first, second = _by_name(old), _by_name(new)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in sorted({*first, *second}, key=str):
            yield from _between((*where, str(key)), first.get(key, _NOTHING), second.get(key, _NOTHING))
    elif isinstance(old, tuple) and isinstance(new, tuple) and set(old) != set(new):
        gone, come = ([each for each in one if each not in other] for one, other in ((old, new), (new, old)))
        told = [f"{verb} {', '.join(map(str, each))}" for verb, each in (("without", gone), ("with", come)) if each]
        yield f"{_path(where)}: {', '.join(told)}"
    else:
        yield f"{_path(where)}: {_told(old)} → {_told(new)}"


def _by_name(value: Any) -> Any:  # noqa: ANN401
    """Entries of a list by their name, else by their number, so that each is compared with its like."""
    if isinstance(value, tuple) and (not value or isinstance(value[0], Mapping)):
        return {each.get("name", str(number)): each for number, each in enumerate(value, start=1)}
    return value


def _path(where: tuple[str, ...]) -> str:
    return " ".join(part.replace("_", " ") for part in where)


def _told(value: Any) -> str:  # noqa: ANN401
    if value is _NOTHING:
        return "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(each)}" for key, each in value.items() if each not in (None, (), {}, False, 0))
    if isinstance(value, tuple):
        return "; ".join(map(_told, value)) or "none"
    return str(value)
