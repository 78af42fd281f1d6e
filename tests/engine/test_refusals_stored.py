"""What other cases' declines say of a card is found by its number, over customers, on a real database."""

from datetime import timedelta

from building import Life
from sqlalchemy import text

from recovery.cases.lifecycle import StepKind
from recovery.storage.card_store import card_use


def same_number(life: Life, one: str, other: str) -> None:
    """Both cases' invoices are paid by one card, saved by two customers."""
    with life.wiring.database.begin() as tx:
        key = tx.execute(text("SELECT budget_key FROM foreign_charges WHERE case_id = :id"), {"id": other}).scalar_one()
        for table in ("foreign_charges", "attempts"):
            tx.execute(text(f"UPDATE {table} SET budget_key = :key WHERE case_id = :id"), {"key": key, "id": one})


def test_a_card_that_is_lost_for_one_customer_is_not_tried_for_another(life: Life) -> None:
    theirs, ours = life.fail("in_1", code="lost_card"), life.fail("in_2")
    same_number(life, theirs, ours)
    life.refresh(ours)
    assert life.case(ours).is_dead(life.case(ours).card)  # type: ignore[arg-type]
    assert life.case(ours).step(StepKind.CHARGE_CARD) is None


def test_what_was_said_never_to_be_tried_again_is_not_forgotten_with_the_budgets(life: Life) -> None:
    theirs, ours = life.fail("in_1", code="lost_card"), life.fail("in_2")
    same_number(life, theirs, ours)
    with life.wiring.database.begin() as tx:
        key = tx.execute(text("SELECT DISTINCT budget_key FROM foreign_charges")).scalar_one()
        later = card_use(tx, key, now=life.at + timedelta(days=200))
    assert "lost_card" in [refusal.signals.decline_code for refusal in later.refusals]
    assert later.uses == ()


def test_a_card_that_paid_since_is_alive(life: Life) -> None:
    case_id = life.fail("in_1")
    life.attempt(case_id, life.declined("lost_card"))
    life.at += timedelta(days=1)
    with life.wiring.database.begin() as tx:
        key = tx.execute(text("SELECT budget_key FROM attempts")).scalar_one()
        tx.execute(text("UPDATE attempts SET started_at = started_at - interval '1 hour'"))
        first = card_use(tx, key, now=life.at)
        assert [refusal.signals.decline_code for refusal in first.refusals] == ["insufficient_funds", "lost_card"]
        tx.execute(
            text(
                "INSERT INTO past_charges (charge_id, budget_key, amount_minor, currency, at, succeeded, counts) "
                "VALUES ('ch_later', :key, 100, 'usd', :at, true, true)"
            ),
            {"key": key, "at": life.at},
        )
        assert card_use(tx, key, now=life.at).refusals == ()
