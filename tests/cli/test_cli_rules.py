"""What a new edition or a new policy would change, told before it does; and what still holds for a case."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from building import CONFIG, MONDAY, Life, wired
from commanding import Run

from recovery.cases.lifecycle import StepKind
from recovery.runtime.clock import SharedClock

pytest_plugins = ["command_fixtures"]


@pytest.fixture
def life(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Life]:
    """A database that commands find, on a day in autumn, and a configuration that a test may change."""
    clock = tmp_path / "clock"
    SharedClock(clock).set(MONDAY)
    shutil.copytree(CONFIG, tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOVERY_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("RECOVERY_CLOCK_FILE", str(clock))
    monkeypatch.setenv("RECOVERY_DATABASE_URL", database_url.replace("+psycopg", ""))
    with wired(database_url) as wiring:
        yield Life(wiring)


def test_a_new_edition_s_effect_is_told_before_it_is_in_force(life: Life, run: Run, tmp_path: Path) -> None:
    case_id = life.fail("in_1")
    life.refresh(case_id)
    stricter = tmp_path / "visa-2027.toml"
    text = (tmp_path / "config" / "networks" / "visa-2026-10.toml").read_text()
    stricter.write_text(
        text.replace('edition = "2026-10"', 'edition = "2027"').replace("tries_max = 20", "tries_max = 1")
    )
    code, out, _ = run("rules", "diff", "visa-2026-04", str(stricter), "--json")
    assert code == 0
    told = json.loads(out)
    assert told["old"] == "visa-2026-04"
    assert "caps 1 tries max: 20 → 1" in told["rules"]
    assert any(line.startswith("decline codes 57: nothing → advice never_again") for line in told["rules"])
    assert [(step["case"], step["after"]) for step in told["steps"]] == [(case_id, None)]
    assert "the budget of visa-2027 is used up" in told["steps"][0]["reason"] or "horizon" in told["steps"][0]["reason"]


def test_an_edition_that_changes_nothing_planned_says_so(life: Life, run: Run) -> None:
    life.refresh(life.fail("in_1"))
    code, out, _ = run("rules", "diff", "visa-2026-04", "visa-2026-10")
    assert code == 0
    assert "decline codes 57" in out
    assert "0 planned tries would change" in out


def test_what_cannot_be_compared_is_refused(life: Life, run: Run) -> None:
    assert life.wiring
    for words, told in (
        (("visa-2026-04", "mastercard-2025-01"), "different networks"),
        (("visa-1999", "x"), "no known edition"),
    ):
        code, _, err = run("rules", "diff", *words)
        assert code == 1
        assert told in err


def test_open_cases_are_moved_only_when_told_to(life: Life, run: Run, tmp_path: Path) -> None:
    case_id = life.fail("in_1")
    life.refresh(case_id)
    before = life.case(case_id)
    policy = tmp_path / "config" / "recovery.toml"
    policy.write_text(
        policy.read_text().replace("horizon_days = 21", "horizon_days = 1", 1).replace('"default"', '"shorter"', 1)
    )
    code, out, _ = run("policy", "migrate", "--json")
    preview = json.loads(out)
    assert (code, preview["applied"], [each["case"] for each in preview["cases"]]) == (0, False, [case_id])
    assert preview["cases"][0]["after"] is None
    assert life.case(case_id) == before
    code, out, _ = run("policy", "migrate", "--apply")
    assert code == 0
    assert "1 cases moved" in out
    moved = life.case(case_id)
    assert moved.policy.startswith("shorter-")
    assert moved.exhausted is not None
    assert "0 open cases" in run("policy", "migrate")[1]


def test_one_case_may_be_moved_by_any_name_and_a_misspelt_one_is_told(life: Life, run: Run, tmp_path: Path) -> None:
    first, second = life.fail("in_1"), life.fail("in_2")
    policy = tmp_path / "config" / "recovery.toml"
    policy.write_text(policy.read_text().replace('"default"', '"other"', 1))
    code, _, err = run("policy", "migrate", "--case", first, "--case", "in_3", "--apply")
    assert (code, "'in_3' is known" in err) == (1, True)
    assert life.case(first).policy.startswith("default-")
    assert run("policy", "migrate", "--case", "in_1", "--apply")[0] == 0
    assert [life.case(each).policy.split("-")[0] for each in (first, second)] == ["other", "default"]


def test_a_case_that_moves_is_in_the_segments_of_its_new_policy(life: Life, run: Run, tmp_path: Path) -> None:
    """Only a reading is planned: the preview tells what else changes, and the move does what the preview told."""
    case_id = life.fail("in_1", minor=90_000, subscribed_at=MONDAY - timedelta(days=50))
    assert life.case(case_id).segment == "new+large"
    policy = tmp_path / "config" / "recovery.toml"
    vip = '[[segments]]\nname = "vip"\nwho = { amount_minor_min = { usd = 50000 } }\nchange = { horizon_days = 40 }\n'
    written = policy.read_text().replace("usd = 50000", "usd = 100000", 1).replace('"default"', '"other"', 1)
    policy.write_text(f"{written}\n{vip}")
    code, out, err = run("policy", "migrate", "--json")
    assert code == 0, err
    told = json.loads(out)["cases"][0]
    assert "segments new+vip; the silent part ends 17 Oct instead of 05 Oct" in told["reason"], told
    assert run("policy", "migrate", "--apply")[0] == 0
    moved = life.case(case_id)
    assert (moved.segment, moved.horizon_at) == ("new+vip", moved.failed_at + timedelta(days=40))
    assert moved.step(StepKind.REFRESH_CARD) is not None


def test_why_tells_what_holds_and_what_is_to_come(life: Life, run: Run) -> None:
    case_id = life.fail("in_1")
    life.attempt(case_id, life.declined())
    code, out, _ = run("why", case_id)
    assert code == 0
    assert "visa-2026-04 (Visa Core Rules" in out
    assert "18 of 20 in 30 days left" in out
    assert "America/New_York (the issuer's)" in out
    assert "Still to come, if every try fails as the last one did" in out
    assert "rule ladders.wait_for_funds · code insufficient_funds (declines 2026-11) · visa-2026-04: 18 of 20 in" in out
    whole = json.loads(run("why", case_id, "--json")[1])
    assert [line["grounds"]["left"][0]["used"] for line in whole["timeline"]] == [1, 1, 2, 2]
    told = whole["standing"]
    assert told["to_come"]["steps"][0]["attempt"] == 2
    assert told["budgets"] == [{"used": 2, "tries_max": 20, "span": "30 days"}]
