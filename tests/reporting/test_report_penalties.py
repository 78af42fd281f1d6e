"""What the networks may charge, estimated: from the advice given, and from tries that broke a rule, each counted once."""

import json
from dataclasses import replace
from datetime import timedelta

from building import MONDAY, Life
from sqlalchemy import text

from recovery.cases.answers import Declined
from recovery.reporting.penalties import costly
from recovery.reporting.period import Asked, span_of
from recovery.reporting.report import View, report
from recovery.reporting.table import Figure
from recovery.storage.penalty_queries import UNREACHED

START = MONDAY.replace(day=1, hour=0)


def penalties(life: Life) -> dict[str, dict[str, Figure]]:
    span = span_of(Asked(month="2026-09"), now=life.at)
    networks = life.wiring.rulebook.networks
    found = report(
        life.wiring.database, span, made_at=life.at, views=[View.PENALTIES], with_days=False, networks=networks
    )
    return {row.key: dict(row.figures) for row in found.tables[0].rows}


def advised(life: Life, code: str) -> Declined:
    answer = life.declined()
    return replace(answer, signals=replace(answer.signals, network_advice_code=code))


def _cards(life: Life, brand: str) -> None:
    """The tries were made on cards of another network; the engine itself would have kept its rules."""
    with life.wiring.database.begin() as tx:
        tx.execute(
            text("""UPDATE attempts SET card = card || jsonb_build_object('brand', CAST(:brand AS text))"""),
            {"brand": brand},
        )


def test_who_keeps_the_rules_pays_nothing_but_for_advice(life: Life) -> None:
    assert penalties(life) == {}
    for name in ("a", "b"):
        case = life.fail(name, at=MONDAY)
        life.attempt(case, advised(life, "25"))
        life.attempt(case)
    assert penalties(life) == {}, "Visa charges nothing for advice"
    _cards(life, "mastercard")
    assert penalties(life) == {"mastercard: advice to wait": {"attempts": 2, "estimated_minor": 4}}
    with life.wiring.database.begin() as tx:
        tx.execute(text("""UPDATE attempts SET signals = signals || '{"network_advice_code": "02"}'"""))
    assert penalties(life) == {}, "to try later is no advice that costs"


def _tried_again(life: Life, case: str, *, up_to: int) -> None:
    """As many tries of a case as the engine itself would not have made, a minute apart."""
    with life.wiring.database.begin() as tx:
        for number in range(2, up_to + 1):
            tx.execute(
                text(
                    """INSERT INTO attempts (id, case_id, step_id, number, card, budget_key, amount_minor, currency, started_at,
                        purpose, status, signals, counts)
                    SELECT id || :n, case_id, step_id, :number, card, budget_key, amount_minor, currency, :at, purpose, status,
                        signals, counts FROM attempts WHERE case_id = :case AND number = 1"""
                ),
                {"n": f"_{number}", "number": number, "at": life.at + timedelta(minutes=number), "case": case},
            )


def test_tries_that_broke_a_rule_are_counted_once_each(life: Life) -> None:
    case = life.fail("often", at=MONDAY)
    life.attempt(case, life.declined())
    _tried_again(life, case, up_to=23)
    # The failure itself is the gateway's and counts too: of our 23 tries the 20th and later are beyond 20 in 30 days.
    found = penalties(life)
    assert found == {"visa: tried beyond a cap": {"attempts": 4, "estimated_minor": 60}}
    with life.wiring.database.begin() as tx:
        tx.execute(
            text("""UPDATE attempts SET signals = signals || '{"network_decline_code": "43"}' WHERE number = 1"""),
        )
    assert penalties(life) == {"visa: tried after never again": {"attempts": 22, "estimated_minor": 330}}


def test_charges_from_before_use_up_a_cap_as_well(life: Life) -> None:
    """Tries that an import brought in: six of ours alone would be far within 20 in 30 days."""
    case = life.fail("few", at=MONDAY)
    life.attempt(case, life.declined())
    _tried_again(life, case, up_to=6)
    with life.wiring.database.begin() as tx:
        tx.execute(
            text("""INSERT INTO past_charges (charge_id, budget_key, amount_minor, currency, at, succeeded, counts)
                SELECT 'ch_before_' || n, budget_key, amount_minor, currency, started_at - n * interval '1 day', false, true
                FROM attempts, generate_series(1, :before) n WHERE number = 1"""),
            {"before": 14},
        )
    # Fourteen from before, the failure itself, and five of ours are twenty: the sixth is one too many.
    assert penalties(life) == {"visa: tried beyond a cap": {"attempts": 1, "estimated_minor": 15}}


def test_what_the_network_told_others_forbids_the_card_to_us(life: Life) -> None:
    """The gateway's own charge was declined for good before ours: each field of the network's answer counts."""
    case = life.fail("stolen", at=MONDAY)
    life.attempt(case, life.declined())
    for told in ({"network_decline_code": "43"}, {"network_advice_code": "03"}):
        brand = "visa" if "network_decline_code" in told else "mastercard"
        _cards(life, brand)
        with life.wiring.database.begin() as tx:
            tx.execute(text("UPDATE foreign_charges SET signals = CAST(:told AS jsonb)"), {"told": json.dumps(told)})
        assert [*penalties(life)] == [f"{brand}: tried after never again"]


def test_no_card_of_a_network_without_fees_is_looked_at(life: Life) -> None:
    """What costs nothing must not cost time: most cards would be read for a cap that has no fee."""
    networks = life.wiring.rulebook.networks
    found = costly(networks)
    assert {brand for brand, _ in found.caps} == {"visa", "mastercard"}
    assert (found.caps["mastercard", "*"], found.caps["mastercard", "BR"], found.caps["visa", "*"]) == (10, 8, 20)
    assert [found.free(*card) for card in (("mastercard", "BR"), ("mastercard", "US"), ("visa", None))] == [8, 10, 20]
    assert found.unlisted == UNREACHED == found.free("amex", "BR") == found.free(None, None)
    assert {"43", "03"} <= set(found.never)
    other = next(pack for pack in networks.packs if "other" in pack.brands)
    fees = next(pack for pack in networks.packs if "visa" in pack.brands).fees
    unnamed = costly(replace(networks, packs=[replace(other, fees=fees)]))
    assert (unnamed.unlisted, unnamed.free(None, None)) == (8, 8)
