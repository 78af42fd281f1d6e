"""The doctor finds each thing that is wrong and says what to do about it."""

import base64
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from building import CONFIG, Life, set_one_of_each_aside, wired

from recovery.dunning.merchant import WAITS_SECONDS, Merchant
from recovery.gateways.port import GatewayUnavailable
from recovery.runtime.account import AccountKept, keep_account, kept_at_start
from recovery.runtime.clock import machine_now
from recovery.runtime.doctor import CONFIRMATIONS, confirm, examine
from recovery.runtime.finding import Finding, Health
from recovery.runtime.settings import Pages, Settings, SettingsInvalid
from recovery.runtime.wiring import Wiring
from recovery.simulation.sandbox import Sandbox, serve_sandbox
from recovery.storage.flag_store import (
    BACKFILLED,
    CHARGING_HALTED,
    GATEWAY_ACCOUNT,
    GATEWAY_RETRIES_SEEN,
    LETTERS_REFUSED,
    MAIL_ILL,
    UNKNOWN_CODE,
    lower_flag,
    raise_flag,
    read_flags,
)
from recovery.storage.message_store import replay_messages

MERCHANT_SECRET = "whsec_" + base64.b64encode(b"shop" * 8).decode()
AT = datetime(2026, 9, 14, tzinfo=UTC)


@pytest.fixture
def sandbox_url() -> Iterator[str]:
    with serve_sandbox(Sandbox(now=lambda: AT, secret_key="sk_test_right")) as url:
        yield url


@pytest.fixture
def healthy(sandbox_url: str, smtp_catcher: Any) -> dict[str, Any]:
    return {
        "stripe_secret_key": "sk_test_right",
        "stripe_webhook_secrets": "whsec_one,whsec_two",
        "stripe_api_base": sandbox_url,
        "smtp_port": smtp_catcher.port,
        "smtp_security": "none",
        "mail_from": "billing@shop.test",
        "public_url": "https://pay.shop.test",
        "link_secrets": "a secret of twenty-four or more",
        "address_key": "a key",
        "merchant_url": "http://127.0.0.1:1/",
        "merchant_secrets": MERCHANT_SECRET,
    }


def _findings(settings: dict[str, Any], database_url: str, broker_url: str) -> dict[str, Finding]:
    wiring = Wiring(Settings(_env_file=None, **settings), database_url)  # type: ignore[call-arg]
    try:
        return {finding.subject: finding for finding in examine(wiring, lambda: broker_url)}
    finally:
        wiring.database.dispose()


def test_a_healthy_installation_needs_only_the_confirmations(
    healthy: dict[str, Any], database_url: str, valkey_url: str
) -> None:
    findings = _findings(healthy, database_url, valkey_url)
    unsure = {subject for subject, finding in findings.items() if finding.health is not Health.OK}
    assert unsure == set(CONFIRMATIONS)
    wiring = Wiring(Settings(_env_file=None, **healthy), database_url)  # type: ignore[call-arg]
    for name in CONFIRMATIONS:
        confirm(wiring, name)
    wiring.database.dispose()
    again = _findings(healthy, database_url, valkey_url)
    assert {subject for subject, finding in again.items() if finding.health is not Health.OK} == set()
    assert "test mode" in findings["Stripe key"].detail


@pytest.mark.parametrize(
    ("change", "subject", "health", "remedy"),
    [
        ({"stripe_secret_key": "sk_test_wrong"}, "Stripe key", Health.FAILED, "RECOVERY_STRIPE_SECRET_KEY"),
        ({"stripe_secret_key": None}, "Stripe key", Health.FAILED, "RECOVERY_STRIPE_SECRET_KEY"),
        ({"stripe_api_base": "http://127.0.0.1:1"}, "Stripe key", Health.FAILED, "RECOVERY_STRIPE_API_BASE"),
        ({"stripe_webhook_secrets": ""}, "webhook secret", Health.FAILED, "/webhooks/stripe"),
        ({"stripe_webhook_secrets": "sk_test_oops"}, "webhook secret", Health.WARNING, "whsec_"),
        ({"smtp_port": 1}, "mail server", Health.FAILED, "RECOVERY_SMTP_HOST"),
        ({"mail_from": "billing@example.com"}, "mail server", Health.WARNING, "RECOVERY_MAIL_FROM"),
        ({"pages": Pages.OPEN}, "pages", Health.WARNING, "RECOVERY_PAGES"),
        ({"pages": Pages.PASSWORD}, "pages", Health.FAILED, "RECOVERY_PAGES_PASSWORD"),
        ({"merchant_url": None}, "customer's page", Health.WARNING, "recovery case list --left"),
        ({"config_dir": Path("/nowhere")}, "configuration", Health.FAILED, "files named"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(
    healthy: dict[str, Any],
    database_url: str,
    valkey_url: str,
    change: dict[str, Any],
    subject: str,
    health: Health,
    remedy: str,
) -> None:
    finding = _findings(healthy | change, database_url, valkey_url)[subject]
    assert finding.health is health
    assert remedy in finding.remedy


def test_the_doctor_reads_the_files_as_the_check_does(
    healthy: dict[str, Any], database_url: str, valkey_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "config"
    shutil.copytree(CONFIG, folder)
    campaigns, world = folder / "emails" / "campaigns.toml", folder / "worlds" / "flat.toml"
    campaigns.write_text(campaigns.read_text().replace("last_notice", "lost_notice"))
    world.write_text("nonsense = 1\n" + world.read_text())
    found = _findings(healthy | {"config_dir": folder}, database_url, valkey_url)["configuration"]
    assert found.health is Health.FAILED
    assert "no letter lost_notice" in found.detail
    assert "flat.toml" in found.detail


def test_missing_servers_and_tables_are_told_apart(
    healthy: dict[str, Any], empty_database_url: str, valkey_url: str
) -> None:
    assert "recovery migrate" in _findings(healthy, empty_database_url, valkey_url)["database"].remedy
    away = _findings(healthy, "postgresql+psycopg://nobody@127.0.0.1:1/none", "redis://127.0.0.1:1/0")
    assert away["database"].health is Health.FAILED
    assert away["broker"].health is Health.FAILED


def test_signs_that_something_is_wrong_inside_are_shown(
    healthy: dict[str, Any], database_url: str, valkey_url: str
) -> None:
    wiring = Wiring(Settings(_env_file=None, **healthy), database_url)  # type: ignore[call-arg]
    with wiring.database.begin() as tx:
        raise_flag(tx, CHARGING_HALTED, "401", at=machine_now())
        raise_flag(tx, GATEWAY_RETRIES_SEEN, "invoice in_1", at=machine_now())
        raise_flag(tx, BACKFILLED, "long ago", at=machine_now() - timedelta(hours=3))
        raise_flag(tx, f"{UNKNOWN_CODE}x", "unknown code brand_new_code", at=machine_now())
    set_one_of_each_aside(wiring, Life(wiring).fail("in_1"))
    wiring.database.dispose()
    findings = _findings(healthy, database_url, valkey_url)
    assert "recovery charging resume" in findings["charging"].remedy
    assert findings["Stripe's retries"].health is Health.WARNING
    assert "brand_new_code" in findings["decline codes"].detail
    assert findings["missed webhooks"].health is Health.WARNING
    for name, error in (("events", "event: poison"), ("steps set aside", "step: poison")):
        assert findings[name].health is Health.FAILED
        assert error in findings[name].detail
        assert "replay" in findings[name].remedy


def test_letters_refused_in_a_row_are_our_own_matter(
    healthy: dict[str, Any], database_url: str, valkey_url: str
) -> None:
    with wired(database_url) as wiring:
        for _ in range(4):
            with wiring.database.begin() as tx:
                raise_flag(tx, LETTERS_REFUSED, "554 5.7.1", at=AT)
        assert _findings(healthy, database_url, valkey_url)["letters"].health is Health.OK
        with wiring.database.begin() as tx:
            raise_flag(tx, LETTERS_REFUSED, "554 5.7.1", at=AT)
    found = _findings(healthy, database_url, valkey_url)["letters"]
    assert (found.health, "the last 5 did not go out" in found.detail) == (Health.FAILED, True)
    assert "recovery email resume" in found.remedy
    with wired(database_url) as wiring, wiring.database.begin() as tx:
        for _ in range(10):
            raise_flag(tx, MAIL_ILL, "the mail server refused us: 421", at=AT)
    found = _findings(healthy, database_url, valkey_url)["letters"]
    assert (found.health, "they wait since" in found.detail) == (Health.FAILED, True)


def test_a_key_of_another_account_is_refused(healthy: dict[str, Any], database_url: str, valkey_url: str) -> None:
    with wired(database_url, **healthy) as wiring:
        keep_account(wiring)
        keep_account(wiring)
        with wiring.database.begin() as tx:
            assert lower_flag(tx, GATEWAY_ACCOUNT)
            raise_flag(tx, GATEWAY_ACCOUNT, "acct_ours (live mode)", at=AT)
        with pytest.raises(
            SettingsInvalid, match=r"acct_sandbox \(test mode\), the cases in this database to acct_ours"
        ):
            keep_account(wiring)
    finding = _findings(healthy, database_url, valkey_url)["account"]
    assert finding.health is Health.FAILED


def test_a_worker_that_could_not_ask_whose_key_it_is_asks_before_its_first_work(
    healthy: dict[str, Any], database_url: str
) -> None:
    away = healthy | {"stripe_api_base": "http://127.0.0.1:1", "stripe_call_seconds": 0.2}
    kept = AccountKept()
    with wired(database_url, **away) as wiring:
        kept_at_start(wiring)
        with pytest.raises(GatewayUnavailable):
            kept(wiring)
        with wiring.database.begin() as tx:
            raise_flag(tx, GATEWAY_ACCOUNT, "acct_ours (live mode)", at=AT)
    with wired(database_url, **healthy) as wiring:
        for _ in range(2):
            with pytest.raises(SettingsInvalid, match="acct_ours"):
                kept(wiring)
        with wiring.database.begin() as tx:
            lower_flag(tx, GATEWAY_ACCOUNT)
        kept(wiring)
    with wired(database_url, **away) as wiring:
        kept(wiring)  # answered once is enough


def test_a_key_that_may_not_tell_its_account_is_asked_once_a_minute(healthy: dict[str, Any], database_url: str) -> None:
    at = [0.0]
    kept = AccountKept(tick=lambda: at[0])
    with wired(database_url, **healthy | {"stripe_secret_key": "sk_test_wrong"}) as wiring:
        kept(wiring)
    with wired(database_url, **healthy) as wiring:
        kept(wiring)
        with wiring.database.connect() as tx:
            assert read_flags(tx, GATEWAY_ACCOUNT) == []
        at[0] += 61
        kept(wiring)
        with wiring.database.connect() as tx:
            assert [flag.detail for flag in read_flags(tx, GATEWAY_ACCOUNT)] == ["acct_sandbox (test mode)"]


def _told_in_vain(life: Life, tries: int) -> None:
    """The merchant's app is told, and refuses each time."""
    url = life.wiring.settings.merchant_url
    assert url is not None
    at = [machine_now() + timedelta(seconds=1)]
    app = Merchant(database=life.wiring.database, url=url, secrets=(MERCHANT_SECRET,), machine_clock=lambda: at[0])
    for _ in range(tries):
        app.tell()
        at[0] += timedelta(days=2)


def test_a_merchants_app_that_hears_nothing_is_seen(
    healthy: dict[str, Any], database_url: str, valkey_url: str
) -> None:
    told = {name: healthy[name] for name in ("merchant_url", "merchant_secrets")}
    with wired(database_url, **told) as wiring:
        life = Life(wiring)
        life.fail("in_1", at=machine_now() - timedelta(hours=3))
        findings = _findings(healthy, database_url, valkey_url)
        assert findings["merchant's app"].health is Health.OK
        assert "refresh_card of case_in_1" in findings["steps overdue"].detail, "nobody takes its steps up"
        _told_in_vain(life, 1)
        failing = _findings(healthy, database_url, valkey_url)["merchant's app"]
        assert (failing.health, "ConnectionError" in failing.detail) == (Health.WARNING, True)
        _told_in_vain(life, len(WAITS_SECONDS) + 1)
        given_up = _findings(healthy, database_url, valkey_url)["merchant's app"]
        assert (given_up.health, "1 messages were given up" in given_up.detail) == (Health.FAILED, True)
        assert "recovery merchant replay" in given_up.remedy
        with wiring.database.begin() as tx:
            replay_messages(tx, None, machine_now=machine_now())
        assert _findings(healthy, database_url, valkey_url)["merchant's app"].health is Health.OK


def test_no_finding_tells_a_secret(healthy: dict[str, Any], database_url: str, valkey_url: str) -> None:
    for finding in _findings(healthy, database_url, valkey_url).values():
        assert "sk_test_right" not in repr(finding)
        assert "whsec_one" not in repr(finding)


def test_the_gateways_retries_are_warned_of_until_they_were_looked_at_again(
    healthy: dict[str, Any], database_url: str, valkey_url: str
) -> None:
    """The first reading of the lists goes back to days on which they were on, and whoever turned them off has nothing left to do."""
    now = machine_now()

    def seen(at: datetime) -> Finding:
        with wired(database_url) as wiring, wiring.database.begin() as tx:
            raise_flag(tx, GATEWAY_RETRIES_SEEN, "invoice in_1", at=at)
        return _findings(healthy, database_url, valkey_url)["Stripe's retries"]

    first = seen(now - timedelta(days=20))
    assert first.health is Health.WARNING
    assert "--confirm retries-off" in first.remedy
    with wired(database_url) as wiring:
        confirm(wiring, "retries-off")
    found = seen(now - timedelta(days=2))
    assert (found.health, found.remedy) == (Health.OK, "")
    assert f"none since {now:%Y-%m-%d}" in found.detail
    assert seen(now + timedelta(hours=1)).health is Health.WARNING
