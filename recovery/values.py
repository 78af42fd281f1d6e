"""A changed copy of a value. ``dataclasses.replace`` runs the whole constructor, which for a case of some thirty fields costs more than
all else that a decision does; here the slots are copied.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Under its own name, so that the type checker compares names and types of what is changed with the fields.
    from dataclasses import replace as replace
else:

    def replace(value: Any, /, **changes: Any) -> Any:  # noqa: ANN401 - typed above
        """The value with some fields changed. Raises TypeError for a field or a kind of value that it cannot change."""
        kind = type(value)
        read, write, by_name = _slots(kind)
        copy = object.__new__(kind)
        for put, old in zip(write, read(value), strict=True):
            put(copy, old)
        for name, new in changes.items():
            put = by_name.get(name)
            if put is None:
                raise TypeError(f"{kind.__name__} has no field {name!r}")
            put(copy, new)
        return copy


@cache
def _slots(
    kind: type,
) -> tuple[Callable[[object], tuple[Any, ...]], tuple[Callable[..., None], ...], dict[str, Callable[..., None]]]:
    """How a kind of value is read as a whole, and how its slots are written, frozen or not."""
    slots = {field.name: getattr(kind, field.name, None) for field in fields(kind)} if is_dataclass(kind) else {}
    by_name = {name: slot.__set__ for name, slot in slots.items() if isinstance(slot, MemberDescriptorType)}
    if len(by_name) < max(len(slots), 2) or hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} has no slots to copy, or checks itself when made: use dataclasses.replace")
    return attrgetter(*by_name), tuple(by_name.values()), by_name
