"""Every shipped campaign plays through on the calendar, over a real mail server."""

import tomllib
from datetime import timedelta
from zoneinfo import ZoneInfo

from story_house import CONFIG
from story_support import Begin, Life

from recovery.cases.lifecycle import State

pytest_plugins = ["story_fixtures"]

SHIPPED = {
    each["name"]: each["letters"]
    for each in tomllib.loads((CONFIG / "emails" / "campaigns.toml").read_text(encoding="utf-8"))["campaigns"]
}
WHOM = {
    "standard": ("do_not_honor", 60, False, "en-US"),
    "trial": ("do_not_honor", 14, True, "de-DE"),
    "long": ("do_not_honor", 800, False, "es-ES"),
    "confirm": ("authentication_required", 60, False, "zh-CN"),
    "new_card": ("expired_card", 60, False, "en-GB"),
}
"""For whom each campaign is: the decline, the days since the subscription began, whether a trial has just ended; in which language."""

ALLOWED = timedelta(days=3)
"""A letter may come so much later than its day: a weekend and a night in between."""


def _fails(life: Life, decline: str, days: int, trial: bool, locale: str) -> str:
    person = life.sandbox.make_customer(email=f"{locale}@example.org", name="Kim", locales=[locale])
    life.sandbox.make_card(person, (decline,) * 30)
    held = life.sandbox.core.store.get("subscription", life.sandbox.make_subscription(person))
    held["start_date"] -= days * 86400
    held["trial_end"] = held["start_date"] + days * 86400 if trial else None
    return life.sandbox.make_failed_invoice(person)


def test_each_campaign_plays_through_over_real_smtp(begin: Begin) -> None:
    life = begin()
    invoices = {name: _fails(life, *whom) for name, whom in WHOM.items()}
    assert set(WHOM) == set(SHIPPED), "a campaign is shipped and not played"
    life.run(days=66)
    for name, invoice in invoices.items():
        letters, file = SHIPPED[name], life.file(invoice)
        assert [email.template for email in file.emails] == [letter["template"] for letter in letters], name
        assert {email.status for email in file.emails} == {"sent"}
        used_up = file.case.exhausted
        assert used_up is not None
        for email, letter in zip(file.emails, letters, strict=True):
            late = email.begun_at - used_up.at - timedelta(days=letter["day"])
            assert timedelta(0) <= late < ALLOWED, f"{name}: {letter} came {late} late"
            for zone in ("America/New_York", "America/Los_Angeles"):
                local = email.begun_at.astimezone(ZoneInfo(zone))
                assert (local.weekday() < 5, 9 <= local.hour < 19) == (True, True), f"{name}: {local}"
        mine = [caught for caught in life.mails.messages if caught.recipients == (f"{WHOM[name][3]}@example.org",)]
        assert len(mine) == len(letters)
        language = {caught.message["Content-Language"] for caught in mine}
        assert language == {{"zh": "zh-Hans"}.get(WHOM[name][3][:2], WHOM[name][3][:2])}
        assert file.case.state is State.LOST, f"{name}: {file.case.state}"
