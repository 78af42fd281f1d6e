"""A changed copy of a value. ``dataclasses.replace`` runs the whole constructor, which for a case of some thirty fields costs more than
all else that a decision does; here the slots are copied.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Under its own name, so that the type checker compares names and types of what is changed with the fields.
    from dataclasses import replace as replace
else:

    def replace(value: Any, /, **changes: Any) -> Any:  # noqa: ANN401 - typed above
        """The value with some fields changed. Raises TypeError for a field or a kind of value that it cannot change."""
        kind = type(value)
        copied, by_name = _slots(kind)
        copy = copied(value)
        for name, new in changes.items():
            put = by_name.get(name)
            if put is None:
                raise TypeError(f"{kind.__name__} has no field {name!r}")
            put(copy, new)
        return copy


@cache
def _slots(kind: type) -> tuple[Callable[[object], object], dict[str, Callable[..., None]]]:
    """How a kind of value is copied as a whole, and how its slots are written, frozen or not."""
    slots = {field.name: getattr(kind, field.name, None) for field in fields(kind)} if is_dataclass(kind) else {}
    by_name = {name: slot.__set__ for name, slot in slots.items() if isinstance(slot, MemberDescriptorType)}
    if len(by_name) < max(len(slots), 2) or hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} has no slots to copy, or checks itself when made: use dataclasses.replace")
    # One line a slot, as dataclasses write their own constructors: a loop over the slots takes twice as long.
    lines = [f"    put_{name}(copy, value.{name})" for name in by_name]
    known: dict[str, Any] = {f"put_{name}": put for name, put in by_name.items()} | {
        "new": object.__new__,
        "kind": kind,
    }
    exec("\n".join(["def copied(value):", "    copy = new(kind)", *lines, "    return copy"]), known)  # noqa: S102
    return known["copied"], by_name
