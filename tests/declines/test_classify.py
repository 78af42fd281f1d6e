"""Every code is classified, the network's word comes before the gateway's, and editions take turns on their days."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.cases.policy import RETRIED
from recovery.declines.classify import ONLY_THE_CUSTOMER, DeclineClass, Verdict, classify
from recovery.declines.signals import Card, Signals
from recovery.runtime.knowledge import Knowledge, load_knowledge

CONFIG = Path(__file__).resolve().parents[2] / "config"
AT = datetime(2026, 10, 6, 12, 0, tzinfo=UTC)


@cache
def known() -> Knowledge:
    return load_knowledge(CONFIG)


def verdict(brand: str | None = "visa", at: datetime = AT, **signals: object) -> Verdict:
    made = Signals(**signals)  # type: ignore[arg-type]
    return classify(made, table=known().declines, pack=known().networks.in_force(brand, at))


@pytest.mark.parametrize("code", sorted(known().declines.codes))
def test_every_listed_code_is_known_and_has_a_reason(code: str) -> None:
    found = verdict(decline_code=code)
    assert found.known
    assert found.decline_class is known().declines.codes[code].decline_class
    assert code in found.brief()


def test_every_class_is_either_retried_or_not() -> None:
    handled = set(RETRIED) | ONLY_THE_CUSTOMER | {DeclineClass.OUR_MISTAKE}
    assert handled == set(DeclineClass)


def test_an_unknown_code_is_the_generic_decline_and_said_to_be_unknown() -> None:
    found = verdict(decline_code="code_of_tomorrow")
    assert found.decline_class is DeclineClass.CAREFUL
    assert not found.known
    assert verdict().known, "no code at all is nothing to list"


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ({"decline_code": "insufficient_funds", "network_decline_code": "41"}, DeclineClass.NEVER_AGAIN),
        ({"decline_code": "insufficient_funds", "network_decline_code": "54"}, DeclineClass.STALE_CARD),
        ({"decline_code": "lost_card", "advice_code": "try_again_later"}, DeclineClass.NEVER_AGAIN),
        ({"decline_code": "authentication_required", "advice_code": "try_again_later"}, DeclineClass.AUTHENTICATE),
        ({"decline_code": "duplicate_transaction", "advice_code": "try_again_later"}, DeclineClass.OUR_MISTAKE),
        ({"decline_code": "lost_card", "advice_code": "confirm_card_data"}, DeclineClass.NEVER_AGAIN),
        ({"decline_code": "expired_card", "advice_code": "do_not_try_again"}, DeclineClass.NEVER_AGAIN),
        ({"decline_code": "insufficient_funds", "advice_code": "try_again_later"}, DeclineClass.WAIT_FOR_FUNDS),
        ({"decline_code": "insufficient_funds", "advice_code": "do_not_try_again"}, DeclineClass.NEVER_AGAIN),
        ({"error_code": "expired_card"}, DeclineClass.STALE_CARD),
    ],
)
def test_the_networks_word_comes_before_the_gateways(signals: dict[str, str], expected: DeclineClass) -> None:
    made = classify(Signals(**signals), table=known().declines, pack=known().networks.in_force("visa", AT))  # type: ignore[arg-type]
    assert made.decline_class is expected


def test_no_advice_lifts_a_code_after_which_no_silent_try_can_help() -> None:
    hopeless = [code for code, row in known().declines.codes.items() if row.decline_class not in RETRIED]
    for code in hopeless:
        for advice in (None, *known().declines.advice):
            for network in (None, "51", "91", "62"):
                found = verdict(decline_code=code, advice_code=advice, network_decline_code=network)
                assert found.decline_class not in RETRIED, (code, advice, network)


@pytest.mark.parametrize(
    ("brand", "signals", "unknown"),
    [
        ("visa", {"decline_code": "brand_new_code", "advice_code": "try_again_later"}, "code brand_new_code"),
        ("visa", {"decline_code": "brand_new_code", "network_decline_code": "51"}, "code brand_new_code"),
        ("visa", {"decline_code": "brand_new_code", "network_decline_code": "41"}, "code brand_new_code"),
        ("visa", {"decline_code": "do_not_honor", "advice_code": "hope"}, "advice hope"),
        ("visa", {"decline_code": "do_not_honor", "network_decline_code": "Q9"}, "visa decline code Q9"),
        ("mastercard", {"decline_code": "lost_card", "network_advice_code": "44"}, "mastercard advice code 44"),
        ("amex", {"decline_code": "do_not_honor", "network_decline_code": "555"}, "other decline code 555"),
    ],
)
def test_a_code_that_no_file_knows_is_named_whatever_decides(brand: str, signals: dict[str, str], unknown: str) -> None:
    found = verdict(brand, **signals)  # type: ignore[arg-type]
    assert found.unknown == (f"unknown {unknown}",)
    assert f"no file knows the {unknown}" in found.brief()


def test_names_of_unknown_codes_are_short_and_clean() -> None:
    found = verdict(decline_code="<b>x" + "y" * 100, network_decline_code="51")
    assert found.unknown == ("unknown code ?b?x" + "y" * 36,)
    assert not verdict(decline_code="do_not_honor", network_decline_code="05").unknown, "the most common code of all"


def test_before_the_first_edition_of_a_network_the_earliest_holds() -> None:
    then = datetime(2019, 1, 1, tzinfo=UTC)
    assert verdict(at=then, network_decline_code="R0").by == "visa-2025-05 decline code R0"
    assert verdict("mastercard", then, network_advice_code="03").decline_class is DeclineClass.NEVER_AGAIN
    assert known().networks.in_force("amex", then).name() == "other-default"


def test_mastercards_advice_waits_and_ends() -> None:
    wait = verdict("mastercard", decline_code="insufficient_funds", network_advice_code="24")
    assert (wait.decline_class, wait.wait_hours) == (DeclineClass.WAIT_FOR_FUNDS, 1)
    assert verdict("mastercard", network_advice_code="02", decline_code="do_not_honor").wait_hours == 72
    assert verdict("mastercard", network_advice_code="03").decline_class is DeclineClass.NEVER_AGAIN
    assert verdict("visa", network_advice_code="03").decline_class is DeclineClass.CAREFUL


def test_a_block_by_the_gateway_is_no_decline_by_the_issuer() -> None:
    blocked = verdict(decline_code="generic_decline", outcome_type="blocked", reached_network=False)
    assert blocked.decline_class is DeclineClass.BLOCKED


def test_code_57_is_final_again_from_its_day_on() -> None:
    before, after = datetime(2026, 10, 24, 23, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    soft = verdict(at=before, decline_code="do_not_honor", network_decline_code="57")
    hard = verdict(at=after, decline_code="do_not_honor", network_decline_code="57")
    assert (soft.decline_class, hard.decline_class) == (DeclineClass.CAREFUL, DeclineClass.NEVER_AGAIN)


@pytest.mark.parametrize("brand", ["visa", "mastercard", "amex", "a_brand_of_tomorrow", None])
def test_every_brand_has_rules_at_every_instant(brand: str | None) -> None:
    for year in (2020, 2025, 2026, 2030):
        assert known().networks.in_force(brand, datetime(year, 6, 1, tzinfo=UTC)).caps


_codes = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(sorted(known().declines.codes)))


@given(_codes, _codes, _codes, _codes, st.booleans(), st.sampled_from(["visa", "mastercard", "amex", None]))
def test_any_signals_have_a_verdict_with_words(
    decline: str | None, advice: str | None, network: str | None, hint: str | None, reached: bool, brand: str | None
) -> None:
    found = verdict(
        brand,
        decline_code=decline,
        advice_code=advice,
        network_decline_code=network,
        network_advice_code=hint,
        reached_network=reached,
    )
    assert found.reason
    assert found.brief()
    assert found.wait_hours >= 0


def test_the_same_details_are_told_by_what_the_issuer_sees() -> None:
    card = Card(payment_method="pm_1", fingerprint="fp", last4="4242", exp_month=1, exp_year=2030)
    renewed = Card(payment_method="pm_1", fingerprint="fp", last4="4242", exp_month=1, exp_year=2034)
    copied = Card(payment_method="pm_2", fingerprint="fp", last4="4242", exp_month=1, exp_year=2030)
    assert card.same_details(copied)
    assert not card.same_details(renewed)
    assert not card.same_details(None)
    bare = Card(payment_method="pm_1")
    assert bare.same_details(Card(payment_method="pm_1"))
    assert not bare.same_details(Card(payment_method="pm_2"))
    assert (card.budget_key, bare.budget_key) == ("fp", "pm_1")
