"""A campaign plays through on the calendar, and everything that ends it does so between planning and sending as well."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from story_support import Begin, Life

from recovery.cases.lifecycle import State, StepKind

pytest_plugins = ["story_fixtures"]


def _asked(life: Life) -> None:
    life.fail("lost_card")
    assert len(life.mails.messages) == 1


def test_a_campaign_plays_through_at_decent_hours(begin: Begin) -> None:
    life = begin()
    _asked(life)
    life.run(days=40)
    emails = life.file().emails
    assert [email.template for email in emails] == ["new_card", "new_card", "reminder", "last_notice"]
    exhausted = life.case().exhausted
    assert exhausted is not None
    for email, day in zip(emails, (0, 3, 7, 9), strict=True):
        assert timedelta(days=day) <= email.begun_at - exhausted.at < timedelta(days=day + 3)
        for zone in ("America/New_York", "America/Los_Angeles"):
            local = email.begun_at.astimezone(ZoneInfo(zone))
            assert local.weekday() < 5
            assert 9 <= local.hour < 19
    subjects = [caught.message["Subject"] for caught in life.mails.messages]
    assert subjects[-1].startswith("Last notice")
    assert life.case().state is State.LOST
    assert len({caught.message["Message-ID"] for caught in life.mails.messages}) == 4


def _void(life: Life) -> None:
    life.sandbox.void(life.invoice)


def _cancel(life: Life) -> None:
    held = life.sandbox.read(life.invoice)["parent"]["subscription_details"]["subscription"]
    life.sandbox.cancel_subscription(str(held), feedback="unused")


def _pay(life: Life) -> None:
    better = life.sandbox.make_card(life.customer(), ["approve"], default=False)
    life.sandbox.customer_pays(life.invoice, method=better)


def _write_off(life: Life) -> None:
    life.merchant(f"invoices/{life.invoice}/mark_uncollectible")


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "unheard"])
@pytest.mark.parametrize("end", [_void, _cancel, _pay, _write_off])
def test_what_ends_a_case_stops_the_letter_that_is_planned(begin: Begin, end: object, heard: bool) -> None:
    life = begin()
    _asked(life)
    if not heard:
        life.lose_webhooks()
    life.run_to_step(StepKind.SEND_EMAIL)
    assert callable(end)
    end(life)
    life.run(days=20)
    assert life.case().state in (State.WITHDRAWN, State.RECOVERED, State.LOST)
    assert len(life.mails.messages) == 1, "written to after the end"
