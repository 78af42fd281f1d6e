"""Whose fee is asked for: everybody's in turn, on a real database."""

from datetime import timedelta

from building import Life

from recovery.storage.fee_queries import charges_without_fee


def test_charges_that_never_get_a_fee_do_not_stand_before_the_others_for_ever(life: Life) -> None:
    paid = {(case, life.pay(case)) for case in (life.fail(f"in_{number}") for number in range(4))}
    since = life.at - timedelta(days=1)
    asked = set()
    for minute in range(40):
        with life.wiring.database.connect() as tx:
            asked.update(charges_without_fee(tx, since=since, now=life.at + timedelta(minutes=minute), limit=1))
    assert asked == paid


def test_money_of_long_ago_is_not_asked_after(life: Life) -> None:
    life.pay(life.fail("in_1"))
    with life.wiring.database.connect() as tx:
        after = life.at + timedelta(seconds=1)
        assert charges_without_fee(tx, since=after, now=after, limit=10) == []
