"""The commands of finance and of whoever lets people in, against a sandbox where they ask the gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import MONDAY, Life, wired
from commanding import Run
from sqlalchemy import text

from recovery.runtime.clock import SharedClock
from recovery.simulation.sandbox import Sandbox, SandboxOptions, serve_sandbox
from recovery.storage.flag_store import GATEWAY_ACCOUNT, raise_flag

pytest_plugins = ["command_fixtures"]


@pytest.fixture
def life(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Life]:
    """A database and a gateway that commands find, on a day in autumn."""
    clock = tmp_path / "clock"
    SharedClock(clock).set(MONDAY)
    monkeypatch.setenv("RECOVERY_CLOCK_FILE", str(clock))
    monkeypatch.setenv("RECOVERY_DATABASE_URL", database_url.replace("+psycopg", ""))
    sandbox = Sandbox(now=lambda: MONDAY, options=SandboxOptions())
    sandbox.make_subscription(sandbox.make_customer(), amount_minor=900)
    monkeypatch.setenv("RECOVERY_STRIPE_SECRET_KEY", sandbox.secret_key)
    with serve_sandbox(sandbox) as url, wired(database_url) as wiring:
        monkeypatch.setenv("RECOVERY_STRIPE_API_BASE", url)
        yield Life(wiring)


def test_people_are_let_in_and_out(life: Life, run: Run) -> None:
    added = run("user", "add", "anna", "--role", "finance")
    assert added.code == 0
    assert len(added.out.strip()) >= 15, "the password, shown once"
    again = run("user", "add", "anna", "--role", "admin")
    assert (again.code, "recovery user password anna" in again.err) == (1, True)
    assert run("user", "change", "anna", "--role", "operator", "--access", "off").code == 0
    assert json.loads(run("user", "list", "--json").out) == [{"name": "anna", "role": "operator", "enabled": False}]
    assert run("user", "password", "anna").out != added.out
    assert "recovery user list" in run("user", "change", "nobody", "--access", "on").err
    assert run("user", "add", "bert", "--role", "king").code == 2


def test_a_month_is_reconciled_and_closed(life: Life, run: Run) -> None:
    clean = json.loads(run("reconcile", "--month", "2026-09", "--json").out)
    assert (clean["entries"], clean["differences"]) == (0, [])
    life.attempt(life.fail("in_1", at=MONDAY))  # the sandbox knows nothing of this charge
    found = run("reconcile", "--month", "2026-09")
    assert found.code == 1
    assert "not at the gateway" in found.out
    assert "fee not booked yet" in found.out
    refused = run("close-month", "2026-08", "--by", "anna", "--json")
    assert json.loads(refused.out)["closed_by"] == "anna", "August is clean"
    assert "closed already" in run("close-month", "2026-08").err
    assert "not over" in run("close-month", "2026-09", "--despite", "a test").err
    assert run("import", "stripe", "--per-second", "50", "--json").code == 0
    assert "month" in run("report", "--month", "2026-10", "--by", "churn", "--csv").out


def test_what_cannot_be_asked_for_is_told_before_the_gateway_is_asked(
    life: Life, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A month's lists take minutes at a large merchant; a mistake in the month is known at once."""
    monkeypatch.setenv("RECOVERY_STRIPE_API_BASE", "http://127.0.0.1:1")
    assert "'oct' is no month" in run("reconcile", "--month", "oct").err
    assert "'oct' is no month" in run("close-month", "oct").err
    assert "not over" in run("close-month", f"{MONDAY:%Y-%m}").err
    nowhere = str(tmp_path / "none" / "report.csv")
    for words in (("--format", "csv", "--output", nowhere), ("--chart", nowhere)):
        refused = run("report", "--month", "2026-09", *words)
        assert (refused.code, refused.err.count("\n")) == (1, 1), refused.err
        assert f"{nowhere}: No such file or directory" in refused.err


def test_the_lists_of_another_account_are_not_taken_in(life: Life, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOVERY_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("RECOVERY_STRIPE_CALLS_PER_SECOND", "0")
    with life.wiring.database.begin() as tx:
        raise_flag(tx, GATEWAY_ACCOUNT, "acct_ours (live mode)", at=MONDAY)
    for words in (("backfill",), ("import", "stripe"), ("reconcile", "--month", "2026-08")):
        refused = run(*words)
        assert (refused.code, "the cases in this database to acct_ours" in refused.err) == (1, True), words
    with life.wiring.database.connect() as tx:
        assert tx.execute(text("SELECT count(*) FROM subscriptions")).scalar_one() == 0
