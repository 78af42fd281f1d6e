"""The command about cards as a person runs it."""

import json
from collections.abc import Iterator

import pytest
from building import Life, wired
from commanding import Run

from recovery.cases.facts import CardRefreshed
from recovery.cases.wallet import KeptCard, Place

pytest_plugins = ["command_fixtures"]


@pytest.fixture
def life(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    monkeypatch.setenv("RECOVERY_DATABASE_URL", database_url.replace("+psycopg", ""))
    with wired(database_url) as wiring:
        yield Life(wiring)


def test_a_customers_cards_are_shown_with_their_history(life: Life, run: Run) -> None:
    case = life.case(life.fail("in_1"))
    assert case.card is not None
    seen = KeptCard(card=case.card, place=Place.CUSTOMER)
    life.tell(case.id, CardRefreshed(obligation=life.owed(case.id), card=case.card, cards=(seen,), step_id=999))
    shown = run("card", "show", "cus_in_1")
    assert shown.code == 0
    for words in (
        "pm_in_1",
        "visa credit ••4242 US, 12/2030 (customer)",
        "first seen",
        "read again by ourselves",
        case.id,
    ):
        assert words in shown.out
    (card,) = json.loads(run("card", "show", "cus_in_1", "--json").out)
    assert (card["fingerprint"], card["history"][0]["case"]) == ("fp_in_1", case.id)
    nobody = run("card", "show", "cus_nobody")
    assert nobody.code == 1
    assert "no card of cus_nobody" in nobody.err
