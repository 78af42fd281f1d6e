"""The commands as a person runs them: what they print, what they change, and how they fail."""

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import CONFIG, MONDAY, Life, wired
from commanding import Run
from sqlalchemy import text

from recovery.cases.lifecycle import State
from recovery.runtime.cli import main
from recovery.runtime.clock import SharedClock
from recovery.storage.flag_store import CHARGING_HALTED, is_raised, raise_flag

pytest_plugins = ["command_fixtures"]

GONE = "postgresql://nobody:hush@127.0.0.1:1/none"


@pytest.fixture
def life(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Life]:
    """A database that commands find, on a day in autumn."""
    clock = tmp_path / "clock"
    SharedClock(clock).set(MONDAY)
    monkeypatch.setenv("RECOVERY_CLOCK_FILE", str(clock))
    monkeypatch.setenv("RECOVERY_DATABASE_URL", database_url.replace("+psycopg", ""))
    with wired(database_url) as wiring:
        yield Life(wiring)


def in_review(life: Life, invoice: str = "odd") -> str:
    return life.fail(invoice, pays_by_card=False)


def test_cases_are_listed(life: Life, run: Run) -> None:
    won, waiting = life.fail("won", minor=123456), life.fail("open", currency="jpy", minor=500)
    life.attempt(won)
    everything = run("case", "list")
    assert everything.code == 0
    assert "1234.56 USD" in everything.out
    assert waiting in everything.out
    only = run("case", "list", "--state", "recovered")
    assert won in only.out
    assert waiting not in only.out
    assert [case["id"] for case in json.loads(run("case", "list", "--json", "--limit", "1").out)] == [won]


def test_a_case_is_shown_and_explained_by_any_of_its_ids(life: Life, run: Run) -> None:
    case = life.fail("in_1")
    life.attempt(case, life.declined("do_not_honor"))
    shown = run("case", "show", case)
    for words in ("49.00 USD", "do_not_honor", "charge_card", "at_risk", "visa credit ••4242 US"):
        assert words in shown.out
    for reference in (case, "in_1", life.case(case).attempts[0].charge_id or ""):
        told = run("why", reference)
        assert told.code == 0
        assert "AttemptDeclined" in told.out
        assert "issuer off-hours" in told.out
    story = json.loads(run("why", "in_1", "--json").out)
    assert story["timeline"][0]["fact"] == "PaymentFailed"
    assert json.loads(run("case", "show", "in_1", "--json").out)["attempts"][0]["status"] == "declined"


def test_an_unknown_case_is_one_clear_line(life: Life, run: Run) -> None:
    for words in (("why", "in_none"), ("case", "show", "in_none"), ("case", "resume", "in_none", "--note", "x")):
        ran = run(*words)
        assert ran.code == 1
        assert "in_none" in ran.err
        assert "recovery case list" in ran.err
        assert "Traceback" not in ran.err
        assert ran.out == ""


def test_a_person_resumes_a_case_in_review(life: Life, run: Run) -> None:
    case = in_review(life)
    ran = run("case", "resume", "odd", "--note", "a card after all")
    assert ran.code == 0
    assert "is now silent" in ran.out
    assert life.case(case).state is State.SILENT
    assert "a card after all" in run("why", case).out


@pytest.mark.parametrize(("command", "state"), [("withdraw", State.WITHDRAWN), ("give-up", State.LOST)])
def test_a_person_ends_a_case(life: Life, run: Run, command: str, state: State) -> None:
    case = life.fail("in_1")
    assert run("case", command, case, "--note", "agreed with the customer").code == 0
    assert life.case(case).state is state
    again = run("case", command, case, "--note", "once more")
    assert (again.code, "has ended already" in again.err) == (1, True)


def test_a_decision_needs_its_reason_and_a_case_that_waits_for_one(life: Life, run: Run) -> None:
    case = life.fail("in_1")
    assert run("case", "resume", case).code == 2
    assert run("case", "resume", case, "--note", "  ").code == 2
    refused = run("case", "resume", case, "--note", "go on")
    assert (refused.code, "not in review" in refused.err) == (1, True)


def test_the_report_in_all_its_forms(life: Life, run: Run, tmp_path: Path) -> None:
    life.attempt(life.fail("won", minor=123456))
    life.fail("open", minor=1000)
    read = run("report", "--month", "2026-09")
    assert read.code == 0
    assert "1,234.56" in read.out
    assert "50.0 % of 2" in read.out
    values = json.loads(run("report", "--month", "2026-09", "--json", "--by", "cohort").out)
    assert list(values["tables"]) == ["cohort"]
    assert values["tables"]["cohort"]["rows"][0]["recovered_minor"] == 123456
    lines = list(csv.DictReader(io.StringIO(run("report", "--csv").out)))
    assert {line["table"] for line in lines} >= {"cohort", "cash", "source", "reason", "attempt", "hours", "tenure"}
    drawn = tmp_path / "chart.svg"
    assert run("report", "--chart", str(drawn)).code == 0
    assert "<svg" in drawn.read_text()
    book, page = tmp_path / "report.xlsx", tmp_path / "report.html"
    assert run("report", "--month", "2026-09", "--format", "xlsx", "--output", str(book)).code == 0
    with zipfile.ZipFile(book) as inside:
        sheets = inside.read("xl/workbook.xml").decode()
        assert inside.read("xl/worksheets/sheet1.xml").count(b"<v>1234.56</v>") >= 2, "real numbers in main units"
    assert all(f'name="{name}"' in sheets for name in ("cohort", "cash", "reason", "definitions"))
    assert run("report", "--month", "2026-09", "--format", "html", "--output", str(page)).code == 0
    assert "1,234.56" in page.read_text()
    assert "href=" not in page.read_text().split("<body>")[1].replace("xlink:href", "")


def test_a_report_that_cannot_be(life: Life, run: Run) -> None:
    wrong = run("report", "--month", "October")
    assert (wrong.code, "write one like" in wrong.err) == (1, True)
    assert run("report", "--json", "--csv").code == 2
    assert run("report", "--by", "mood").code == 2
    assert "Nothing failed" in run("report", "--month", "2020-01").out


def test_all_mistakes_of_the_configuration_are_told_at_once(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("config", "check").code == 0
    broken = tmp_path / "config"
    shutil.copytree(CONFIG, broken)
    policy = (broken / "recovery.toml").read_text()
    (broken / "recovery.toml").write_text(policy.replace("horizon_days = 21", "horizon_days = 2100"))
    (broken / "banks.toml").unlink()
    letter = broken / "emails" / "en.toml"
    letter.write_text(letter.read_text().replace("{{ amount }}", "{{ nonsense }}", 1))
    monkeypatch.setenv("RECOVERY_CONFIG_DIR", str(broken))
    ran = run("config", "check")
    assert ran.code == 1
    for words in ("recovery.toml:", ": horizon_days: ", "banks.toml: the file is missing", letter.name):
        assert words in ran.err


def test_a_fresh_database_is_migrated(empty_database_url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOVERY_DATABASE_URL", empty_database_url)
    before = run("case", "list")
    assert (before.code, "recovery migrate" in before.err) == (1, True)
    assert "Traceback" not in before.err
    assert run("migrate").code == 0
    assert run("case", "list").code == 0


def test_set_aside_events_come_back_in_line(life: Life, run: Run) -> None:
    with life.wiring.database.begin() as tx:
        for number in range(3):
            tx.execute(
                text(
                    """INSERT INTO events (gateway, id, kind, livemode, created_at, object_id, content,
                       caused_by_request, received_at, state, failures)
                       VALUES ('stripe', :id, 'invoice.paid', false, now(), 'in_1', '{}', false, now(), 'set_aside', 5)"""
                ),
                {"id": f"evt_{number}"},
            )
    assert run("events", "replay", "evt_9").code == 1
    assert "1 events" in run("events", "replay", "evt_1").out
    assert "2 events" in run("events", "replay").out
    with life.wiring.database.connect() as tx:
        states = tx.execute(text("SELECT DISTINCT state, failures FROM events")).all()
    assert [tuple(row) for row in states] == [("waiting", 0)]


def test_halted_charging_goes_on_when_told(life: Life, run: Run) -> None:
    assert "was not halted" in run("charging", "resume").out
    with life.wiring.database.begin() as tx:
        raise_flag(tx, CHARGING_HALTED, "the key was refused", at=MONDAY)
    assert "the key was refused" in run("charging", "resume").out
    with life.wiring.database.connect() as tx:
        assert not is_raised(tx, CHARGING_HALTED)


def test_a_database_that_is_away_is_one_clear_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOVERY_DATABASE_URL", GONE)
    for words in (("case", "list"), ("report",), ("migrate",), ("charging", "resume")):
        ran = run(*words)
        assert ran.code == 1
        assert "RECOVERY_DATABASE_URL" in ran.err
        assert "hush" not in ran.err
        assert len(ran.err.strip().splitlines()) == 2


def test_debug_shows_where_it_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOVERY_DATABASE_URL", GONE)
    with pytest.raises(Exception, match="refused"):
        main(["--debug", "case", "list"])


def test_settings_that_cannot_be_used_are_named_without_their_values(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOVERY_DATABASE_URL", "mysql://me:hush@host/db")
    monkeypatch.setenv("RECOVERY_BATCH", "none")
    ran = run("case", "list")
    assert ran.code == 1
    assert "RECOVERY_DATABASE_URL" in ran.err
    assert "RECOVERY_BATCH" in ran.err
    assert "hush" not in ran.err


def test_wrong_usage_is_two(run: Run) -> None:
    assert run("case", "list", "--state", "happy").code == 2
    assert run("no-such-command").code == 2
    assert run("case", "show").code == 2
    helped = run("--help")
    assert helped.code == 0
    for command in ("case", "why", "report", "migrate", "web", "worker", "beat", "demo", "doctor", "sandbox"):
        assert f"\n  {command} " in helped.out


def test_every_command_has_help(run: Run) -> None:
    for words in (["case"], ["case", "list"], ["case", "give-up"], ["why"], ["report"], ["config", "check"], ["web"]):
        ran = run(*words, "--help")
        assert ran.code == 0
        assert "Usage: recovery" in ran.out


def test_the_module_can_be_run_and_lists_its_commands_without_their_libraries() -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "recovery.runtime.cli", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, "Usage: recovery" in ran.stdout) == (0, True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"sqlalchemy", "pydantic", "stripe", "celery", "argon2", "matplotlib", "starlette"}


def test_a_customer_whom_nothing_names_is_not_said_to_be_forgotten(life: Life, run: Run) -> None:
    life.pay(life.fail("in_1"))
    mistyped = run("forget", "cus_in_l")
    assert (mistyped.code, mistyped.out) == (1, "")
    assert "nothing here names cus_in_l" in mistyped.err
    assert run("forget", "cus_in_1").code == 0
    assert run("forget", "cus_in_1").code == 1
