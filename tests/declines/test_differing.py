"""No field of a rule pack can change unseen."""

from dataclasses import fields, is_dataclass, replace
from datetime import date
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from recovery.declines.differing import differences
from recovery.declines.networks import RulePack
from recovery.runtime.knowledge import load_file

NETWORKS = Path(__file__).resolve().parents[2] / "config" / "networks"


@cache
def pack(name: str) -> RulePack:
    return load_file(NETWORKS / f"{name}.toml", RulePack)


def changes(value: Any) -> list[Any]:
    """Every value that differs from this one in one place, whatever the place is called."""
    if is_dataclass(value) and not isinstance(value, type):
        every = [(each.name, new) for each in fields(value) for new in changes(getattr(value, each.name))]
        return [made for name, new in every if (made := _made(value, name, new)) is not None]
    if isinstance(value, dict):
        some = list(value)[:3]
        other = [{**value, key: new} for key in some for new in changes(value[key])]
        return [*other, *({k: v for k, v in value.items() if k != key} for key in some)]
    if isinstance(value, tuple):
        bent = [(*value[:at], new, *value[at + 1 :]) for at in range(min(len(value), 2)) for new in changes(value[at])]
        return [*bent, value[1:]] if value else []
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, Enum):
        return [next(other for other in type(value) if other is not value)]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, date):
        return [value.replace(year=value.year + 1)]
    return [f"{value} other"] if isinstance(value, str) else []


def _made(value: Any, name: str, new: Any) -> Any:
    try:
        return replace(value, **{name: new})
    except ValueError:
        return None  # a value that the type itself refuses needs no telling


def test_every_change_of_one_place_is_told_on_one_line() -> None:
    for name in ("mastercard-2025-01", "visa-2026-10"):
        bent = [each for each in changes(pack(name)) if replace(each, edition="x") != replace(pack(name), edition="x")]
        assert len(bent) > 50
        for each in bent:
            told = differences(pack(name), each)
            assert told, each
            assert all(" → " in line or ": with" in line for line in told), told


def test_what_is_the_same_says_nothing_whatever_it_is_called() -> None:
    visa = pack("visa-2026-10")
    assert differences(visa, replace(visa, edition="2027")) == []


def test_lines_say_where_and_what() -> None:
    visa = pack("visa-2026-10")
    [cap] = visa.caps
    other = replace(visa, caps=(replace(cap, per_amount=False, customer_tries=True),), plain_decline_codes=("01", "QQ"))
    told = differences(visa, other)
    assert told[:2] == ["caps 1 customer tries: False → True", "caps 1 per amount: True → False"]
    assert told[2].startswith("plain decline codes: without 02, 05")
    assert told[2].endswith("with QQ")
    assert (
        "decline codes 57: nothing → advice never_again, reason Visa category 1, never reattempt: not permitted"
        in str(differences(pack("visa-2026-04"), visa))
    )
