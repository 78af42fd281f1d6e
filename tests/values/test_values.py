"""Changed copies are what dataclasses.replace would make, and refuse what they cannot change; sentences are made when read."""

import dataclasses
import pickle
from typing import Any

import pytest

from recovery.declines.signals import Card, Signals
from recovery.money import Money
from recovery.sentences import Sentence
from recovery.values import maker, quick, replace

CARD = Card(payment_method="pm_1", brand="visa", exp_month=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithoutSlots:
    name: str
    number: int


@quick
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    name: str
    number: int = 3
    kind: str | None = None


MAKES = pytest.mark.parametrize("make", [Quick, maker(Quick)], ids=["class", "maker"])


@MAKES
@pytest.mark.parametrize("given", [{}, {"number": 4}, {"kind": "k", "number": 5}])
def test_a_value_made_quickly_is_like_any_other(make: type[Quick], given: dict[str, Any]) -> None:
    made = make(name="n", **given)
    assert dataclasses.asdict(made) == {"name": "n", "number": 3, "kind": None} | given
    assert type(made) is Quick
    assert made == dataclasses.replace(made)
    assert hash(made) == hash(replace(made, name="n"))
    assert repr(made).startswith("Quick(name='n', number=")
    assert pickle.loads(pickle.dumps(made)) == made
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "m"  # type: ignore[misc]


@MAKES
def test_what_is_missing_or_unknown_is_told_as_ever(make: type[Quick]) -> None:
    with pytest.raises(TypeError, match=r"Quick.*\(\) missing 1 required keyword-only argument: 'name'"):
        make()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"Quick.*\(\) got an unexpected keyword argument 'other'"):
        make(name="n", other=1)  # type: ignore[call-arg]


def test_values_compare_by_their_fields_and_with_their_own_kind_alone() -> None:
    value = Quick(name="n", kind="k")
    assert value == Quick(name="n", kind="k")
    for other in ({"name": "m"}, {"number": 4}, {"kind": None}):
        assert value != replace(value, **other)
    assert value.__eq__("n") is NotImplemented


def test_a_default_made_anew_for_each_value_is_refused() -> None:
    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Listed:
        names: list[str] = dataclasses.field(default_factory=list)

    with pytest.raises(TypeError, match=r"Listed\.names has a default that is made anew"):
        quick(Listed)
    for each in (quick, maker):
        with pytest.raises(TypeError, match=r"use dataclasses\.replace"):
            each(Money)


@pytest.mark.parametrize("changes", [{}, {"brand": "amex"}, {"brand": None, "exp_month": 12, "fingerprint": "f"}])
def test_a_changed_copy_is_what_dataclasses_would_make(changes: dict[str, Any]) -> None:
    before = dataclasses.replace(CARD)
    copy = replace(CARD, **changes)
    assert copy == dataclasses.replace(CARD, **changes)
    assert hash(copy) == hash(dataclasses.replace(CARD, **changes))
    assert before == CARD


def test_a_copy_is_frozen_too() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        replace(CARD, brand="amex").brand = "visa"  # type: ignore[misc]


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="Signals has no field 'brand'"):
        replace(Signals(), brand="visa")  # type: ignore[call-arg]


@pytest.mark.parametrize("value", [Money(minor=1, currency="usd"), WithoutSlots(name="", number=1)])
def test_what_checks_itself_or_has_no_slots_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"use dataclasses\.replace"):
        replace(value)


def test_a_sentence_is_made_each_time_it_is_read_and_not_before() -> None:
    asked: list[int] = []

    def made() -> str:
        asked.append(1)
        return "declined"

    sentence = Sentence(made)
    assert asked == []
    assert f"attempt 1: {sentence}" == "attempt 1: declined"
    assert str(Sentence(lambda: f"{sentence} again")) == "declined again"
    assert len(asked) == 2
