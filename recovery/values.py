"""Values made and copied at a cost that does not matter. A frozen dataclass sets each field through ``object.__setattr__``, and
``dataclasses.replace`` runs that whole constructor: for the values of a decision that costs more than all else that the decision does.

Both are replaced by their own lines on a twin: an ordinary class with the same slots, whose fields are plainly assigned before the
object becomes what it is.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

_T = TypeVar("_T")

if TYPE_CHECKING:
    # Under its own name, so that the type checker compares names and types of what is changed with the fields.
    from dataclasses import replace as replace
else:

    def replace(value: Any, /, **changes: Any) -> Any:  # noqa: ANN401 - typed above
        """The value with some fields changed. Raises TypeError for a field or a kind of value that it cannot change."""
        return _copier(type(value))(value, changes)


def quick(kind: type[_T]) -> type[_T]:
    """Let a frozen dataclass with slots be made quickly: a class decorator that goes above ``@dataclass``.

    Raises TypeError for a class that has no slots, checks itself when made, or makes a default anew for each value.
    """
    made = _written(kind, takes="self, *, ", begins="_become(self, _twin)", ends="return None")
    made.__qualname__, made.__name__ = f"{kind.__qualname__}.__init__", "__init__"
    made.__module__, made.__annotations__ = kind.__module__, kind.__init__.__annotations__
    type.__setattr__(kind, "__init__", made)  # the type checker lets nobody assign a method
    type.__setattr__(kind, "__eq__", _compared(kind))
    return kind


def maker(kind: type[_T]) -> type[_T]:
    """What makes values of a kind as calling the class would, at half the cost: for where every decision makes some.

    Python calls a function at once, but a class by way of a dictionary of the arguments. Raises TypeError as ``quick`` does.
    """
    made = _written(kind, takes="*, ", begins="self = _new(_twin)", ends="return self")
    made.__qualname__ = kind.__qualname__
    return cast("type[_T]", made)


def _written(kind: type, *, takes: str, begins: str, ends: str) -> Callable[..., Any]:
    """A function that assigns its arguments to the fields of a twin, and lets it become a value of the kind."""
    known: dict[str, Any] = {"_kind": kind, "_twin": _twin(kind), "_become": _BECOME, "_new": object.__new__}
    taken, lines = [], []
    for each in _fields(kind):
        if each.default_factory is not MISSING:
            raise TypeError(f"{kind.__name__}.{each.name} has a default that is made anew")
        known[f"_default_{each.name}"] = each.default
        taken.append(each.name if each.default is MISSING else f"{each.name}=_default_{each.name}")
        lines.append(f"    self.{each.name} = {each.name}")
    source = [
        f"def made({takes}{', '.join(taken)}):",
        f"    {begins}",
        *lines,
        "    self.__class__ = _kind",
        f"    {ends}",
    ]
    exec("\n".join(source), known)  # noqa: S102 - as dataclasses write their own constructors
    return known["made"]  # type: ignore[no-any-return]


def _compared(kind: type) -> Callable[[object, object], object]:
    """Compares as a dataclass does, but a value with itself at once and others without lists of their fields: most are the same."""
    known: dict[str, Any] = {}
    alike = " and ".join(f"self.{each.name} == other.{each.name}" for each in _fields(kind) if each.compare)
    source = [
        "def __eq__(self, other):",
        "    if self is other:",
        "        return True",
        "    if other.__class__ is not self.__class__:",
        "        return NotImplemented",
        f"    return {alike}",
    ]
    exec("\n".join(source), known)  # noqa: S102
    return known["__eq__"]  # type: ignore[no-any-return]


_BECOME = object.__dict__["__class__"].__set__
"""Gives an object another class of the same layout, whatever its own class says of being changed."""


@cache
def _copier(kind: type) -> Callable[[object, dict[str, Any]], object]:
    """How a kind of value is copied as a whole, with some fields changed."""
    names = [each.name for each in _fields(kind)]
    known: dict[str, Any] = {"new": object.__new__, "kind": kind, "twin": _twin(kind), "put": setattr}
    source = [
        "def copied(value, changes):",
        "    copy = new(twin)",
        *(f"    copy.{name} = value.{name}" for name in names),
        "    for name, new_value in changes.items():",
        "        try:",
        "            put(copy, name, new_value)",
        "        except AttributeError:",
        '            raise TypeError(f"{kind.__name__} has no field {name!r}") from None',
        "    copy.__class__ = kind",
        "    return copy",
    ]
    exec("\n".join(source), known)  # noqa: S102
    return known["copied"]  # type: ignore[no-any-return]


def _twin(kind: type) -> type:
    """A class with the same slots that can be assigned to."""
    names = tuple(each.name for each in _fields(kind))
    if not names or kind.__dict__.get("__slots__") != names or hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} has no slots to copy, or checks itself when made: use dataclasses.replace")
    return type(kind.__name__, (), {"__slots__": names})


def _fields(kind: type) -> tuple[Field[Any], ...]:
    return fields(kind) if is_dataclass(kind) else ()
