"""Each decision keeps what it rested on: rule, editions, what was left of the budgets, which slots were rejected."""

from datetime import timedelta

from building import MONDAY, Life
from sqlalchemy import text

from recovery.cases.answers import NotSent
from recovery.cases.grounds import Grounds
from recovery.storage.case_queries import timeline


def kept(life: Life, case_id: str) -> list[tuple[str, str, Grounds]]:
    with life.wiring.database.connect() as tx:
        lines = timeline(tx, case_id)
    assert all(line.grounds is not None for line in lines), "a decision without grounds"
    return [(line.fact, line.reason, line.grounds) for line in lines if line.grounds is not None]


def test_every_decision_of_a_whole_life_names_rule_edition_budgets_and_rejected_slots(life: Life) -> None:
    case_id = life.fail("in_life", at=MONDAY.replace(day=4))  # a Friday
    life.attempt(case_id, life.declined("do_not_honor"))
    life.attempt(case_id, NotSent(detail="429"))
    life.attempt(case_id, life.declined("lost_card"))
    life.refresh(case_id)
    told = kept(life, case_id)
    policy = life.case(case_id).policy
    for fact, reason, grounds in told:
        assert grounds.policy.startswith(policy), fact
        assert (grounds.declines, grounds.network) == ("2026-11", "visa-2026-04"), fact
        assert [left.tries_max for left in grounds.left] == [20], fact
        assert grounds.rule, fact
        assert all(slot in reason for slot in grounds.rejected), fact
    rules = [(fact, grounds.rule, grounds.left[0].used) for fact, _, grounds in told]
    assert rules == [
        ("PaymentFailed", "lifecycle, silent", 1),
        ("CardRefreshed", "ladders.wait_for_funds", 1),
        ("ChargeDue", "attempt, silent", 2),
        ("AttemptDeclined", "ladders.careful", 2),
        ("ChargeDue", "attempt, silent", 3),
        ("AttemptNotSent", "lifecycle, silent", 2),
        ("ChargeDue", "attempt, silent", 3),
        ("AttemptDeclined", "lifecycle, silent", 3),
        ("CardRefreshed", "exhausted by never_again", 3),
    ]
    assert [grounds.signal for _, _, grounds in told][-1] == "code lost_card"
    looked = [grounds for _, _, grounds in told if grounds.banks]
    assert {(grounds.banks, grounds.paydays) for grounds in looked} == {("2026-11-22", "2026-11")}
    rejected = {slot for grounds in looked for slot in grounds.rejected}
    assert rejected == {"Fri 11 Sep 09:00 America/New_York: issuer off-hours (risk 0.2 above 0.15)"}


def test_a_try_says_in_which_hours_it_is_made(life: Life) -> None:
    case_id = life.fail("in_hours", at=MONDAY + timedelta(days=1))
    life.attempt(case_id)
    reasons = {fact: reason for fact, reason, _ in kept(life, case_id)}
    assert reasons["ChargeDue"].endswith("(silent), in bank hours (risk 0)")


def test_what_was_decided_before_grounds_were_kept_is_still_told(life: Life) -> None:
    case_id = life.fail("in_old", at=MONDAY + timedelta(days=1))
    with life.wiring.database.begin() as tx:
        tx.execute(text("ALTER TABLE journal DISABLE TRIGGER USER"))
        tx.execute(text("UPDATE journal SET grounds = NULL WHERE case_id = :case"), {"case": case_id})
        tx.execute(text("ALTER TABLE journal ENABLE TRIGGER USER"))
        lines = timeline(tx, case_id)
    assert [line.grounds for line in lines] == [None]
