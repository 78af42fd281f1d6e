"""Letters come in their order, at decent hours, within the cap, and stop at once; between them only paydays are tried."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cases_support import CARD, FAILED_AT, LOST, OPEN_HOUR, asked, attempt, opened, owed, planned, rules, told

from recovery.cases import facts
from recovery.cases.answers import Declined
from recovery.cases.between import home_zone
from recovery.cases.campaigns import PLAIN, Campaign, Letter, campaign_for
from recovery.cases.case import Case, Decision, Purpose, WaitingStep
from recovery.cases.customer import may_wish
from recovery.cases.decide import decide
from recovery.cases.lifecycle import AttemptStatus, State, StepKind
from recovery.cases.policy import Dunning
from recovery.cases.rules import CardUse
from recovery.declines.classify import DeclineClass
from recovery.declines.signals import Signals
from recovery.runtime.knowledge_checks import campaign_mistakes
from recovery.timing.courtesy import Courtesy, decent_from

FUNDS = Signals(error_code="card_declined", decline_code="insufficient_funds")
EMAIL = facts.EmailDue(obligation=owed(), step_id=5)
SATURDAY = datetime(2026, 10, 10, 17, 0, tzinfo=UTC)
OFFICE = Courtesy(opens=rules().policy.dunning.opens, closes=rules().policy.dunning.closes, weekend=(5, 6))


def _due(case: Case, now: datetime, *mailed: datetime) -> Decision:
    use = CardUse(budget_key=CARD.budget_key, uses=(), mailed=mailed)
    return decide(case, EMAIL, now=now, rules=rules(), usage=use)


def _in(zone: str, **others: Any) -> Case:
    return replace(asked(opened(), emails=0), zone=zone, **others)


@pytest.mark.parametrize(
    ("zones", "at", "expected"),
    [
        (("Europe/Berlin",), "2026-10-06T12:00:00Z", "2026-10-06T12:00:00Z"),
        (("Europe/Berlin",), "2026-10-06T17:00:00Z", "2026-10-07T07:00:00Z"),  # 19:00 is closing time
        (("Europe/Berlin",), "2026-10-09T17:30:00Z", "2026-10-12T07:00:00Z"),  # Friday evening to Monday
        (("Europe/Berlin",), "2026-10-24T10:00:00Z", "2026-10-26T08:00:00Z"),  # over the end of daylight saving
        (("America/New_York", "America/Los_Angeles"), "2026-10-06T14:00:00Z", "2026-10-06T16:00:00Z"),
        (("America/New_York", "America/Los_Angeles"), "2026-10-06T23:30:00Z", "2026-10-07T16:00:00Z"),
        (("Asia/Tokyo", "America/New_York"), "2026-10-06T01:00:00Z", "2026-10-06T01:00:00Z"),  # no hour in common
    ],
)
def test_decent_hours_hold_in_every_zone(zones: tuple[str, ...], at: str, expected: str) -> None:
    assert decent_from(OFFICE, zones, datetime.fromisoformat(at)) == datetime.fromisoformat(expected)


def test_nobody_is_written_to_at_night_or_on_a_weekend() -> None:
    case = _in("America/New_York")
    assert planned(_due(case, SATURDAY)) == {StepKind.SEND_EMAIL: datetime(2026, 10, 12, 13, 0, tzinfo=UTC)}
    night = _due(case, datetime(2026, 10, 13, 4, 0, tzinfo=UTC))
    assert night.email is None
    assert "decent hour" in str(night.reason)
    assert _due(case, datetime(2026, 10, 13, 13, 0, tzinfo=UTC)).email == 2


def test_who_has_no_card_left_is_written_to_in_the_hours_of_the_one_that_failed() -> None:
    case = replace(_in("America/New_York"), zone=None, card=None)
    assert case.tried_card is not None
    assert case.tried_card.country == "US"
    assert _due(case, datetime(2026, 10, 13, 13, 0, tzinfo=UTC)).email is None  # dark in Los Angeles
    assert _due(case, datetime(2026, 10, 13, 16, 0, tzinfo=UTC)).email == 2
    assert home_zone(case, rules()) == rules().banks.of("US").zones[0]


def test_letters_follow_the_days_of_their_campaign_and_end() -> None:
    case, days, templates = asked(opened(), emails=0), [], []
    at = OPEN_HOUR
    for _ in range(10):
        begun = told(case, EMAIL, now=at)
        assert begun.template is not None
        templates.append(begun.template)
        sent = told(begun.case, facts.EmailSent(email_id=f"mail-{begun.email}"), now=at)
        case, plan = sent.case, planned(sent)
        if not plan:
            break
        at = plan[StepKind.SEND_EMAIL]
        days.append((at - OPEN_HOUR).days)
    assert templates == ["payment_due", "reminder", "reminder", "last_notice"]
    assert days == [3, 7, 12]
    assert "all of campaign standard" in str(told(case, EMAIL).reason)


def test_the_cap_counts_over_all_cases_of_the_customer() -> None:
    case = _in("America/New_York")
    hour = timedelta(hours=1)
    soon = _due(case, OPEN_HOUR, OPEN_HOUR - hour)
    assert soon.email is None
    assert planned(soon)[StepKind.SEND_EMAIL] >= OPEN_HOUR + 19 * hour
    many = [OPEN_HOUR - timedelta(days=day) for day in range(2, 10)]
    assert planned(_due(case, OPEN_HOUR, *many))[StepKind.SEND_EMAIL] >= many[-1] + timedelta(days=30)
    assert _due(case, OPEN_HOUR, *many[1:]).email == 2
    assert _due(case, OPEN_HOUR, OPEN_HOUR - 21 * hour).email == 2


def test_who_unsubscribed_gets_nothing_and_stays_asked_nothing() -> None:
    case = asked(opened(), emails=1)
    stopped = told(case, facts.MailStopped(why="unsubscribed"))
    assert stopped.cancel == {StepKind.SEND_EMAIL, StepKind.ASK_REASON}
    assert told(stopped.case, EMAIL).email is None
    late = told(stopped.case, facts.EmailSent(email_id="mail-9"))
    assert StepKind.SEND_EMAIL not in planned(late)
    assert stopped.case.state is State.DUNNING


def test_a_campaign_is_chosen_by_segment_and_decline_and_the_last_one_wins() -> None:
    campaigns = rules().policy.campaigns
    assert campaign_for(campaigns, "", DeclineClass.CAREFUL).name == "standard"
    assert campaign_for(campaigns, "trial", DeclineClass.CAREFUL).name == "trial"
    assert campaign_for(campaigns, "loyal+annual", None).name == "long"
    assert campaign_for(campaigns, "loyal", DeclineClass.STALE_CARD).name == "new_card"
    assert campaign_for((), "loyal", DeclineClass.STALE_CARD) is PLAIN


def test_campaigns_that_cannot_be_are_told() -> None:
    late = Campaign(name="late", letters=(Letter(day=0, template="payment_due"), Letter(day=20, template="reminder")))
    strange = replace(late, segments=("nobody",))
    told_of = str(campaign_mistakes(replace(rules().policy, campaigns=(late, strange))))
    assert "no segment 'nobody'" in told_of
    assert "is there twice" in told_of
    assert "comes when the case is over (day 14)" in told_of
    with pytest.raises(ValueError, match="must lie after"):
        Campaign(name="x", letters=(late.letters[1], late.letters[0]))


def _tried(number: int, purpose: Purpose) -> Any:
    return attempt(number, AttemptStatus.DECLINED, purpose=purpose, signals=FUNDS)


def test_between_letters_only_paydays_are_tried_and_not_for_ever() -> None:
    case = replace(asked(opened(FUNDS), emails=1), attempts=(attempt(1),))
    answer = facts.AttemptAnswered(attempt_id="case_in_1-1", answer=Declined(signals=FUNDS, charge_id="ch_5"))
    refused = told(case, answer)
    payday = planned(refused)[StepKind.CHARGE_CARD]
    assert payday.date() == datetime(2026, 10, 15).date(), "the fifteenth"  # noqa: DTZ001 - a day
    due = facts.ChargeDue(obligation=owed(), card=CARD, step_id=9)
    begun = told(refused.case, due, now=payday + timedelta(hours=3))
    assert begun.start is not None
    assert begun.start.purpose is Purpose.BETWEEN_EMAILS
    used = replace(case, attempts=tuple(_tried(n, Purpose.BETWEEN_EMAILS) for n in (1, 2)))
    assert told(used, due, now=payday + timedelta(hours=3)).start is None
    last = replace(used, attempts=(*used.attempts, attempt(3)))
    again = facts.AttemptAnswered(attempt_id="case_in_1-3", answer=Declined(signals=FUNDS, charge_id="ch_6"))
    assert StepKind.CHARGE_CARD not in planned(told(last, again))


def test_the_customers_own_date_is_not_tried_where_only_the_customer_can_cure_the_decline_by_then() -> None:
    """Another card came since, and its bank wants its holder to confirm: no date helps, a letter does."""
    case = told(asked(opened(FUNDS), emails=1), facts.DateWished(wished_at=OPEN_HOUR + timedelta(days=11))).case
    assert case.wished_at is not None
    confirm = Signals(error_code="authentication_required", decline_code="authentication_required")
    other = replace(case, verdict=rules().verdict(confirm, CARD, OPEN_HOUR), signals=confirm)
    over = told(other, facts.ChargeDue(obligation=owed(), card=CARD, step_id=9), now=case.wished_at)
    assert over.start is None
    assert over.case.wished_at is None
    assert StepKind.SEND_EMAIL in planned(over)


def test_the_customers_own_date_is_kept_and_no_letter_comes_before() -> None:
    case = asked(opened(FUNDS), emails=1)
    wish = OPEN_HOUR + timedelta(days=11)
    decision = told(case, facts.DateWished(wished_at=wish))
    plan = planned(decision)
    assert plan[StepKind.CHARGE_CARD] >= wish
    assert plan[StepKind.SEND_EMAIL] > plan[StepKind.CHARGE_CARD]
    assert plan[StepKind.CLOSE_CASE] > plan[StepKind.CHARGE_CARD] + timedelta(days=3)
    assert _due(decision.case, OPEN_HOUR + timedelta(days=3)).email is None
    due = facts.ChargeDue(obligation=owed(), card=CARD, step_id=9)
    begun = told(decision.case, due, now=plan[StepKind.CHARGE_CARD])
    assert begun.start is not None
    assert begun.start.purpose is Purpose.CUSTOMER_DATE
    answer = facts.AttemptAnswered(attempt_id=begun.start.id, answer=Declined(signals=FUNDS, charge_id="ch_5"))
    refused = told(begun.case, answer, now=plan[StepKind.CHARGE_CARD])
    assert refused.case.wished_at is None
    assert StepKind.SEND_EMAIL in planned(refused)


def test_the_policy_can_hold_back_where_only_the_customer_can_help() -> None:
    lost = opened(LOST)
    patient = replace(rules(), policy=replace(rules().policy, dunning=Dunning(only_customer_wait_days=3)))
    read = facts.CardRefreshed(obligation=owed(), card=lost.card, step_id=2)
    use = CardUse(budget_key=CARD.budget_key, uses=())
    plan = planned(decide(lost, read, now=OPEN_HOUR, rules=patient, usage=use))
    assert plan[StepKind.SEND_EMAIL] >= OPEN_HOUR + timedelta(days=3)
    assert plan[StepKind.CLOSE_CASE] == OPEN_HOUR + timedelta(days=3 + 14)


@pytest.mark.parametrize(
    ("change", "wish_days"),
    [
        ({}, -1),
        ({}, 60),
        ({"wishes": 2}, 5),
        ({"dead_cards": (CARD,)}, 5),
        ({"state": State.RECOVERED, "ended_at": FAILED_AT}, 5),
    ],
)
def test_a_wish_that_cannot_help_changes_nothing(change: dict[str, Any], wish_days: float) -> None:
    case = replace(asked(opened(FUNDS)), **change)
    decision = told(case, facts.DateWished(wished_at=OPEN_HOUR + timedelta(days=wish_days)))
    assert decision.plan == ()
    assert decision.case == case
    assert may_wish(case, rules()) is (not change)


def test_who_leaves_is_let_go_with_the_reason() -> None:
    left = told(asked(opened()), facts.CustomerLeft(because="too_expensive"))
    assert (left.case.state, left.case.left_because) == (State.WITHDRAWN, "too_expensive")
    assert {StepKind.SEND_EMAIL, StepKind.CHARGE_CARD, StepKind.CLOSE_CASE} <= left.cancel
    lost = replace(asked(opened()), state=State.LOST, ended_at=OPEN_HOUR)
    told_why = told(lost, facts.CustomerLeft(because="unused"))
    assert (told_why.case.state, told_why.case.left_because) == (State.LOST, "unused")


def test_a_case_stays_open_until_its_last_letter_had_two_days() -> None:
    """Exhausted on a Monday, day 12 is a Saturday: on the Monday after, the case was over before its last notice was written."""
    monday = datetime(2026, 10, 26, 16, 39, tzinfo=UTC)
    case = asked(opened(), emails=0)
    assert case.exhausted is not None
    waiting = WaitingStep(kind=StepKind.CLOSE_CASE, due_at=monday + timedelta(days=14), in_flight=False)
    third = replace(case, exhausted=replace(case.exhausted, at=monday), letters_done=2, email_tries=3, steps=(waiting,))
    sent = told(third, facts.EmailSent(email_id="mail-3"), now=monday + timedelta(days=7))
    plan = planned(sent)
    assert plan[StepKind.SEND_EMAIL] == datetime(2026, 11, 9, 17, 0, tzinfo=UTC)
    assert plan[StepKind.CLOSE_CASE] == plan[StepKind.SEND_EMAIL] + timedelta(days=2)
    assert "stays open until Wed 11 Nov" in str(sent.reason)
    early = told(replace(third, letters_done=0), facts.EmailSent(email_id="mail-1"), now=monday)
    assert StepKind.CLOSE_CASE not in planned(early), "there is time enough"
    capped = [monday + timedelta(days=day) for day in range(8)]
    use = CardUse(budget_key=CARD.budget_key, uses=(), mailed=tuple(capped))
    late = decide(third, EMAIL, now=datetime(2026, 11, 6, 18, 0, tzinfo=UTC), rules=rules(), usage=use)
    assert planned(late)[StepKind.SEND_EMAIL] > monday + timedelta(days=29)
    assert StepKind.CLOSE_CASE not in planned(late), "the cap may take weeks: for that the case does not stay open"
