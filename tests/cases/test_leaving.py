"""Who was lost or cancelled is asked once for the reason: after exhaustion only, and never for money."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cases_support import CARD, OPEN_HOUR, asked, charge, opened, owed, paid, planned, rules

from recovery.cases import facts
from recovery.cases.case import Case, Decision
from recovery.cases.decide import decide
from recovery.cases.leaving import TEMPLATE
from recovery.cases.lifecycle import State, StepKind
from recovery.cases.obligation import ChargeStatus
from recovery.cases.rules import CardUse, Rules

CANCELLED = facts.SubscriptionCancelled(subscription="sub_1", at=OPEN_HOUR, detail=None)
WRITTEN_OFF = facts.InvoiceWrittenOff(obligation_id="in_1", at=OPEN_HOUR)
PAID = facts.InvoicePaid(obligation_id="in_1", charges=(charge("ch_2", ChargeStatus.SUCCEEDED),), at=OPEN_HOUR)
VOIDED = facts.InvoiceVoided(obligation_id="in_1", at=OPEN_HOUR)
NEXT_DAY = datetime(2026, 10, 12, 17, 0, tzinfo=UTC)
"""The Monday after: within decent hours from New York to Los Angeles."""


def _curious(**others: Any) -> Rules:
    known = rules()
    dunning = replace(known.policy.dunning, ask_reason_by_email=True, **others)
    return replace(known, policy=replace(known.policy, dunning=dunning))


def _told(case: Case, fact: facts.Fact, now: datetime = OPEN_HOUR, **use: Any) -> Decision:
    usage = CardUse(budget_key=CARD.budget_key, uses=(), **use)
    return decide(case, fact, now=now, rules=_curious(), usage=usage)


def _left(**others: Any) -> Case:
    case = asked(opened(), emails=1)
    return replace(_told(case, CANCELLED).case, **others)


def _due(**others: Any) -> facts.EmailDue:
    made: dict[str, Any] = {"obligation": owed(subscription_live=False), "step_id": 9, "asks_why": True}
    return facts.EmailDue(**made | others)


@pytest.mark.parametrize("end", [CANCELLED, WRITTEN_OFF])
def test_who_was_asked_to_pay_and_left_is_asked_why_a_day_later(end: facts.Fact) -> None:
    ended = _told(asked(opened(), emails=1), end)
    assert planned(ended) == {StepKind.ASK_REASON: datetime(2026, 10, 12, 16, 0, tzinfo=UTC)}, "not on the weekend"
    begun = _told(replace(ended.case), _due(), NEXT_DAY)
    assert (begun.template, begun.email) == (TEMPLATE, 2)
    sent = _told(begun.case, facts.EmailSent(email_id="case_in_1-mail-2"), NEXT_DAY)
    assert (sent.plan, sent.case.emails_sent) == ((), 1), "it asks for no money and is no letter"
    assert _told(sent.case, _due(step_id=10), NEXT_DAY).email is None, "once"


@pytest.mark.parametrize(
    ("case", "end"),
    [
        (opened(), CANCELLED),
        (asked(opened(), emails=1), VOIDED),
        (replace(asked(opened(), emails=1), mail_stopped=True), CANCELLED),
        (asked(opened(), emails=1), facts.CustomerLeft(because="unused")),
        (
            asked(opened(), emails=1),
            facts.InvoicePaid(obligation_id="in_1", charges=(charge("ch_2", ChargeStatus.SUCCEEDED),), at=OPEN_HOUR),
        ),
    ],
    ids=["never exhausted", "voided", "unsubscribed", "told it", "paid"],
)
def test_nobody_else_is_asked(case: Case, end: facts.Fact) -> None:
    ended = _told(case, end)
    assert ended.case.state is not State.DUNNING
    assert StepKind.ASK_REASON not in planned(ended)


def test_where_it_is_not_switched_on_nobody_is() -> None:
    ended = decide(
        asked(opened(), emails=1), CANCELLED, now=OPEN_HOUR, rules=rules(), usage=CardUse(budget_key="", uses=())
    )
    assert ended.plan == ()


@pytest.mark.parametrize(
    ("case", "fact", "use"),
    [
        (_left(left_because="unused"), _due(), {}),
        (_left(mail_stopped=True), _due(), {}),
        (_left(), _due(page=False), {}),
        (_left(), _due(), {"asked_why": True}),
        (_left(), _due(asks_why=False), {}),
        (_left(state=State.RECOVERED), _due(), {}),
    ],
    ids=[
        "told meanwhile",
        "unsubscribed meanwhile",
        "no page",
        "asked elsewhere",
        "a letter in flight",
        "paid meanwhile",
    ],
)
def test_everything_is_looked_at_again_before_it_is_asked(
    case: Case, fact: facts.EmailDue, use: dict[str, Any]
) -> None:
    decision = _told(case, fact, NEXT_DAY, **use)
    assert (decision.email, decision.plan) == (None, ())


def test_the_question_waits_for_a_decent_hour_and_for_the_cap() -> None:
    night = _told(_left(), _due(), NEXT_DAY + timedelta(hours=12))
    assert planned(night) == {StepKind.ASK_REASON: datetime(2026, 10, 13, 16, 0, tzinfo=UTC)}
    soon = _told(_left(), _due(), NEXT_DAY, mailed=(NEXT_DAY - timedelta(hours=1),))
    assert planned(soon)[StepKind.ASK_REASON] >= NEXT_DAY + timedelta(hours=19)


def test_a_late_payment_is_seen_before_it_is_asked() -> None:
    decision = _told(_left(), _due(obligation=paid(charge("ch_2", ChargeStatus.SUCCEEDED))), NEXT_DAY)
    assert (decision.case.state, decision.email) == (State.RECOVERED, None)
    assert StepKind.ASK_REASON in decision.cancel


def test_a_refusal_is_repeated_while_tries_last_and_ends_where_it_is_for_good() -> None:
    case = _left()
    for tried in range(1, 7):
        begun = _told(case, _due(step_id=10 + tried), NEXT_DAY)
        refused = facts.EmailRefused(email_id=f"case_in_1-mail-{begun.email}", detail="451", permanent=False)
        answered = _told(begun.case, refused, NEXT_DAY)
        assert (StepKind.ASK_REASON in planned(answered)) == (tried < 6)
        case = answered.case
    begun = _told(_left(), _due(), NEXT_DAY)
    gone = facts.EmailRefused(email_id=f"case_in_1-mail-{begun.email}", detail="550", permanent=True)
    assert _told(begun.case, gone, NEXT_DAY).plan == ()


def test_a_letter_that_arrives_after_the_end_is_still_a_letter() -> None:
    late = _told(_left(), facts.EmailSent(email_id="case_in_1-mail-1"))
    assert late.case.emails_sent == 2
