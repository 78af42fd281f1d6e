"""Every file of the configuration with anything in place of a value: it is sound, and then it can be used, or the mistake is told."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from building import CONFIG, settings_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from recovery.cases.project import Scenario, project
from recovery.declines.signals import Card, Signals
from recovery.dunning.checking import letter_mistakes
from recovery.money import Money
from recovery.runtime.asking import letters_of
from recovery.runtime.knowledge import ConfigInvalid, load_knowledge, rules_of
from recovery.runtime.worlds import load_world

FEW = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
JUNK = (
    *(
        "-1",
        "0",
        "1",
        "9" * 30,
        "nan",
        "inf",
        "1e400",
        "0.5",
        "true",
        '""',
        '"x"',
        '"\\u0000"',
        "[]",
        "[[]]",
        "{}",
        "{x=1}",
    ),
    *(
        "2026-01-01",
        "00:00:00",
        "23:59:59",
        '["x"]',
        "[0, 1, 2, 3, 4, 5, 6]",
        '"Mars/Olympus"',
        "'''",
        "[-1]",
        "[1e30]",
        '"{{"',
        '"{x}"',
    ),
)
VALUE = re.compile(r"^(\s*[\w\"'.-]+\s*=\s*)(.+)$")
KNOWN = tuple(
    path.relative_to(CONFIG)
    for path in (*CONFIG.glob("*.toml"), *CONFIG.glob("networks/*.toml"), CONFIG / "emails/campaigns.toml")
)
WORLDS = tuple(path.relative_to(CONFIG) for path in CONFIG.glob("worlds/*.toml"))
TEXTS = tuple(path.relative_to(CONFIG) for path in CONFIG.glob("emails/??.toml"))
FAILED_AT = datetime(2026, 11, 20, 23, 40, tzinfo=UTC)


@some.composite
def bent(draw: some.DrawFn, files: tuple[Path, ...]) -> tuple[Path, str]:
    """A file and what stands in it, with one value or line that is not right."""
    file = draw(some.sampled_from(sorted(files)))
    lines = (CONFIG / file).read_text(encoding="utf-8").splitlines()
    places = [number for number, line in enumerate(lines) if VALUE.match(line)]
    at = draw(some.sampled_from(places))
    found = VALUE.match(lines[at])
    assert found is not None
    junk = draw(some.sampled_from(JUNK))
    lines[at] = draw(
        some.sampled_from(
            (f"{found[1]}{junk}", f"{found[1]}{junk}", "", f"{lines[at]}\n{lines[at]}", f"strange = {junk}")
        )
    )
    return file, "\n".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("config") / "config"
    shutil.copytree(CONFIG, made)
    return made


def _told(folder: Path, file: Path, content: str) -> list[str]:
    """The mistakes that are told of a bent file; none where it can be used."""
    path = folder / file
    before = path.read_text(encoding="utf-8")
    path.write_text(content, encoding="utf-8")
    try:
        if file in WORLDS:
            load_world(folder, file.stem)
        elif file in TEXTS:
            return letter_mistakes(letters_of(settings_for("postgresql://nowhere/none", config_dir=folder)))
        else:
            _use(folder)
    except ConfigInvalid as error:
        return error.mistakes
    finally:
        path.write_text(before, encoding="utf-8")
    return []


def _use(folder: Path) -> None:
    """What is loaded without a mistake plans every kind of failure to its end."""
    rules = rules_of(load_knowledge(folder))
    for code, brand, country in (("insufficient_funds", "visa", "US"), ("do_not_honor", "mastercard", "DE")):
        card = Card(payment_method="pm_1", brand=brand, funding="debit", country=country, fingerprint="f")
        scenario = Scenario(
            signals=Signals(decline_code=code),
            card=card,
            amount=Money(minor=4900, currency="usd"),
            failed_at=FAILED_AT,
        )
        assert project(scenario, rules).ends_at <= FAILED_AT + timedelta(days=400)


@FEW
@given(made=bent(KNOWN))
def test_knowledge_is_usable_or_every_mistake_is_told(folder: Path, made: tuple[Path, str]) -> None:
    file, _ = made
    told = _told(folder, *made)
    assert all(str(folder) in mistake for mistake in told), (file, told)


@FEW
@given(made=bent(WORLDS) | bent(TEXTS))
def test_worlds_and_texts_are_usable_or_every_mistake_is_told(folder: Path, made: tuple[Path, str]) -> None:
    file, _ = made
    told = _told(folder, *made)
    assert not told or any(file.name in mistake for mistake in told), (file, told)


def test_hours_of_letters_are_times_without_a_zone(folder: Path) -> None:
    """A bare number passed for seconds of UTC, which no local time can be compared with."""
    bare = (CONFIG / "recovery.toml").read_text(encoding="utf-8").replace("opens = 09:00:00", "opens = 0")
    assert "written like 09:00:00" in str(_told(folder, Path("recovery.toml"), bare))
