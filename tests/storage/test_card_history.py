"""What a reading of the customer's cards changed is kept line by line; the same reading again writes nothing."""

from dataclasses import replace

from building import Life

from recovery.cases.wallet import KeptCard, Place
from recovery.declines.signals import Card
from recovery.storage.card_history import card_stories, note_cards

CARD = Card(payment_method="pm_1", brand="visa", country="US", last4="4242", exp_month=1, exp_year=2030)
OTHER = replace(CARD, payment_method="pm_2", last4="5555")
FIRST = (KeptCard(card=CARD, place=Place.SUBSCRIPTION), KeptCard(card=OTHER, place=Place.ATTACHED))


def read(life: Life, case_id: str, *cards: KeptCard) -> int:
    """The cards are read; how many lines that wrote."""
    with life.wiring.database.begin() as tx:
        return note_cards(tx, life.case(case_id), cards, moment=life.door.moment())


def told(life: Life, case_id: str) -> dict[str, list[str]]:
    with life.wiring.database.connect() as tx:
        stories = card_stories(tx, life.case(case_id).customer)
    return {story.card.payment_method: [line.what for line in story.lines] for story in stories}


def test_a_card_is_seen_renewed_moved_and_taken_away(life: Life) -> None:
    case_id = life.fail("in_1")
    assert read(life, case_id, *FIRST) == 2
    assert read(life, case_id, *FIRST) == 0
    renewed = replace(CARD, exp_year=2034)
    assert read(life, case_id, KeptCard(card=renewed, place=Place.CUSTOMER)) == 2
    assert read(life, case_id, KeptCard(card=renewed, place=Place.CUSTOMER)) == 0
    assert told(life, case_id) == {
        "pm_1": ["first seen, the subscription's default", "expiry 01/2030 → 01/2034, the customer's default"],
        "pm_2": ["first seen, saved, no default", "the gateway has it no more"],
    }


def test_a_card_that_is_back_is_told_again(life: Life) -> None:
    case_id = life.fail("in_1")
    read(life, case_id, *FIRST)
    read(life, case_id, FIRST[0])
    assert read(life, case_id, *FIRST) == 1
    assert told(life, case_id)["pm_2"][-1] == "saved, no default"
