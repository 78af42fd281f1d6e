"""``recovery plan``, ``rules`` and ``config check`` as a person at a terminal meets them; ``plan`` needs no database."""

import json
import shutil
from pathlib import Path

import pytest
from building import CONFIG
from commanding import Run

pytest_plugins = ["command_fixtures"]

ASKED = [
    *("plan", "--code", "insufficient_funds", "--country", "US", "--brand", "visa", "--funding", "debit"),
    *("--amount", "49.00", "--currency", "USD", "--failed-at", "2026-11-20T23:40:00-05:00"),
]


def test_a_plan_shows_tries_reasons_and_a_calendar_and_starts_no_database(run: Run, tmp_path: Path) -> None:
    told = run(*ASKED)
    assert told.code == 0, told.err
    assert "payday Fri 27 Nov (weekday friday)" in told.out
    assert "allowed by visa-2026-10" in told.out
    assert "Mon    Tue    Wed" in told.out
    assert "then dunning (rule horizon)" in told.out
    assert not (tmp_path / ".recovery").exists()


def test_a_plan_as_json_is_the_same_every_time(run: Run) -> None:
    first, second = (run(*ASKED, "--json") for _ in range(2))
    assert first.out == second.out
    plan = json.loads(first.out)
    tries = [step for step in plan["steps"] if step["attempt"]]
    assert [step["attempt"] for step in tries] == list(range(1, len(tries) + 1))
    assert plan["zone"] == "America/New_York"
    assert plan["rule"] == "horizon"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--zone", "Mars/Olympus"), "no IANA time zone"),
        (("--zone", "Europe/Berlin"), "no zone of US"),
        (("--segment", "princes"), "is none of"),
        (("--amount", "49.001"), "--amount: '49.001' has more decimals than USD allows (2)"),
        (("--amount", "49,00"), "--amount: '49,00' is not an amount; write it like 49.00"),
        (("--amount", "1e999999999"), "--amount: '1e999999999' is not an amount"),
        (("--amount", "0"), "--amount: nothing is owed"),
        (("--failed-at", "2026-11-20T23:40:00"), "offset is missing"),
        (("--failed-at", "9999-12-31T23:40:00Z"), "--failed-at: 9999-12-31T23:40:00Z cannot be planned"),
        (("--failed-at", "0001-01-01T00:00:00+10:00"), "give an instant of the years 2000 to 2099"),
        (("--country", "usa"), "--country: 'USA' is no country of ISO 3166; write it as US"),
        (("--country", "XX"), "'XX' is no country"),
        (("--currency", "XYZ"), "--currency: 'xyz' is no currency of ISO 4217"),
        (("--brand", "vista"), "--brand: 'vista' is none of amex"),
        (("--funding", "debbit"), "--funding: 'debbit' is no kind of funding"),
        (("--code", ""), "--code: it is empty; give a code"),
        (("--network-code", " "), "--network-code: it is empty"),
    ],
)
def test_a_wrong_option_is_told(run: Run, words: tuple[str, str], told: str) -> None:
    asked = [*ASKED, *words]
    result = run(*asked)
    assert result.code == 2
    assert told in " ".join(result.err.replace("│", " ").split())


def test_codes_are_read_as_gateways_write_them_and_old_failures_by_the_earliest_edition(run: Run) -> None:
    for words, told in (
        (("--network-code", "r0", "--failed-at", "2019-01-01T00:00:00Z"), "visa-2025-05 decline code R0"),
        (("--brand", "mastercard", "--advice-code", "3"), "mastercard-2025-01 advice code 03"),
        (("--code", "LOST_CARD", "--advice-code", "try_again_later"), "code lost_card"),
    ):
        plan = json.loads(run(*ASKED, *words, "--json").out)
        assert told in plan["opening"]
        assert plan["steps"] == [] or not any(step["attempt"] for step in plan["steps"])
        assert plan["unknown"] == []


def test_a_code_that_no_file_knows_is_planned_and_said_to_be_unknown(run: Run) -> None:
    told = run(*ASKED, "--code", "code_of_tomorrow", "--advice-code", "77")
    assert told.code == 0
    words = " ".join(told.out.split())
    assert "unknown code code_of_tomorrow, unknown visa advice code 77: in no file" in words


def test_a_zone_needs_its_country(run: Run) -> None:
    told = run("plan", "--code", "do_not_honor", "--zone", "Asia/Tokyo")
    assert told.code == 2
    assert "a zone needs its country; add --country" in " ".join(told.err.replace("│", " ").split())


def test_every_mistake_is_told_at_once_with_its_line_and_a_remedy(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "config"
    shutil.copytree(CONFIG, broken)
    banks = (
        (broken / "banks.toml")
        .read_text()
        .replace('zones = ["Europe/Berlin"], opens', 'zones = ["Europe/Bonn"], opens')
    )
    (broken / "banks.toml").write_text(banks)
    paydays = (
        (broken / "paydays.toml").read_text().replace('CH = { rules = ["day:25"] }', 'CH = { rules = ["day:31"] }')
    )
    (broken / "paydays.toml").write_text(paydays)
    policy = (broken / "recovery.toml").read_text().replace("horizon_days = 21", "horizon_days = 210")
    (broken / "recovery.toml").write_text(policy.replace("careful = { tries_max = 5 }", "carefull = { tries_max = 5 }"))
    _broken(broken / "worlds" / "flat.toml", "chronic_share = 0.15", "chronic_share = 15")
    _broken(broken / "emails" / "de.toml", "[page]", "[page]\nleave = ")
    _broken(broken / "emails" / "es.toml", "[letters.last_notice]", "[letters.last_notice_of_all]")
    _broken(broken / "emails" / "campaigns.toml", 'template = "last_notice"', 'template = "last_notise"')
    _broken(broken / "emails" / "layout.txt", "{{ url }}", "{{ urll }}")
    _broken(broken / "emails" / "zh_Hans.toml", "{{ amount }}", "{{ amuont }}")
    monkeypatch.setenv("RECOVERY_CONFIG_DIR", str(broken))
    told = run("config", "check")
    assert told.code == 1
    for name, told_as, on in (
        ("campaigns.toml", "there is no letter last_notise; write it in en.toml", '"last_notise"'),
        ("layout.txt", "'urll' is undefined", "{{ urll }}"),
        ("zh_Hans.toml", "'amuont' is undefined", "amuont"),
    ):
        line = next(each for each in told.err.splitlines() if told_as in each)
        path, number, _ = line.removeprefix(f"{broken}/emails/").split(":", 2)
        assert (path, on in (broken / "emails" / name).read_text().splitlines()[int(number) - 1]) == (name, True)
    for name, words in (
        ("banks.toml", ("countries.DE.zones", "'Europe/Bonn' is no IANA time zone", "write it as")),
        ("paydays.toml", ("countries.CH.rules", "'day:31' is none of", "use one of these")),
        ("recovery.toml", ("horizon_days", "less than or equal to 90", "lower the value")),
        ("worlds/flat.toml", ("chronic_share", "less than or equal to 1", "lower the value")),
        ("emails/de.toml", ("leave", "not readable as TOML", "correct the spelling")),
    ):
        line = next(each for each in told.err.splitlines() if words[1] in each)
        path, number, _ = line.removeprefix(f"{broken}/").split(":", 2)
        assert path == name
        key = words[0].split(".")[-2] if "." in words[0] else words[0]
        assert (broken / name).read_text().splitlines()[int(number) - 1].startswith(key)
        assert all(word in line for word in words[1:])
    assert "letters.last_notice is missing; translate it from en.toml" in told.err


def test_a_file_that_is_not_utf_8_is_told_with_its_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "config"
    shutil.copytree(CONFIG, broken)
    names = ("declines.toml", "networks/visa-2026-04.toml", "worlds/flat.toml", "emails/de.toml", "emails/layout.txt")
    monkeypatch.setenv("RECOVERY_CONFIG_DIR", str(broken))
    for name in names:
        with (broken / name).open("ab") as file:
            file.write("# fällig\n".encode("latin-1"))
    told = run("config", "check")
    assert told.code == 1
    for name in names:
        line = len((broken / name).read_bytes().splitlines())
        assert f"{broken / name}:{line}: not written in UTF-8; save it as UTF-8" in told.err, told.err


def test_files_that_an_editor_began_with_a_byte_order_mark_are_read_all_the_same(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    marked = tmp_path / "config"
    shutil.copytree(CONFIG, marked)
    for path in marked.rglob("*.toml"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    monkeypatch.setenv("RECOVERY_CONFIG_DIR", str(marked))
    assert run("config", "check").code == 0
    _broken(marked / "recovery.toml", "horizon_days = 21", "horizon_days = 921")
    told = run("config", "check")
    assert "horizon_days" in told.err
    line = int(told.err.partition("recovery.toml:")[2].partition(":")[0])
    assert "horizon_days" in (marked / "recovery.toml").read_text().splitlines()[line - 1]


def _broken(path: Path, sound: str, broken: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert sound in text
    path.write_text(text.replace(sound, broken, 1), encoding="utf-8")


def test_a_segment_that_changes_nothing_known_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "config"
    shutil.copytree(CONFIG, broken)
    policy = (
        (broken / "recovery.toml").read_text().replace("careful = { tries_max = 5 }", "carefull = { tries_max = 5 }")
    )
    (broken / "recovery.toml").write_text(policy)
    monkeypatch.setenv("RECOVERY_CONFIG_DIR", str(broken))
    told = run("config", "check")
    assert told.code == 1
    assert "there is no carefull to change" in told.err


def test_a_threshold_that_shuts_a_country_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "config"
    shutil.copytree(CONFIG, broken)
    banks = (broken / "banks.toml").read_text().replace("open = 0.0", "open = 0.2")
    (broken / "banks.toml").write_text(banks)
    monkeypatch.setenv("RECOVERY_CONFIG_DIR", str(broken))
    told = run("config", "check")
    assert told.code == 1
    assert "raise risk_max" in told.err
