"""The shipped decline table and rule packs say what the networks and the gateway publish."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recovery.declines.classify import DeclineClass, Verdict, classify
from recovery.declines.networks import Advice, Cap, CodeRule, FeeFor, Region
from recovery.declines.signals import Signals
from recovery.runtime.knowledge import load_knowledge

KNOWN = load_knowledge(Path(__file__).resolve().parents[2] / "config")
APRIL = datetime(2026, 10, 24, 23, 59, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)

ALLOWS = {
    DeclineClass.WAIT_FOR_FUNDS: "insufficient_funds card_velocity_exceeded withdrawal_count_limit_exceeded",
    DeclineClass.ISSUER_ILL: "issuer_not_available processing_error reenter_transaction approve_with_id try_again_later",
    DeclineClass.CAREFUL: (
        "do_not_honor generic_decline call_issuer no_action_taken security_violation service_not_allowed not_permitted"
    ),
    DeclineClass.STALE_CARD: (
        "expired_card new_account_information_available invalid_account incorrect_number invalid_number "
        "invalid_expiry_month invalid_expiry_year"
    ),
    DeclineClass.WRONG_DETAILS: (
        "incorrect_cvc invalid_cvc incorrect_zip incorrect_address card_not_supported currency_not_supported"
    ),
    DeclineClass.AUTHENTICATE: (
        "authentication_required authentication_not_handled mobile_device_authentication_required"
    ),
    DeclineClass.NEVER_AGAIN: (
        "lost_card stolen_card pickup_card restricted_card fraudulent merchant_blacklist stop_payment_order "
        "revocation_of_authorization revocation_of_all_authorizations transaction_not_allowed do_not_try_again"
    ),
    DeclineClass.BLOCKED: "highest_risk_level",
    DeclineClass.OUR_MISTAKE: (
        "duplicate_transaction invalid_amount testmode_decline incorrect_pin invalid_pin pin_try_exceeded "
        "offline_pin_required online_or_offline_pin_required live_mode_test_card"
    ),
}


def judged(at: datetime = OCTOBER, brand: str = "visa", country: str | None = "US", **signals: str) -> Verdict:
    pack = KNOWN.networks.in_force(brand, at, country)
    return classify(Signals(**signals), table=KNOWN.declines, pack=pack)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "allows"), [(code, allows) for allows, codes in ALLOWS.items() for code in codes.split()]
)
def test_each_code_allows_what_is_published(code: str, allows: DeclineClass) -> None:
    assert judged(decline_code=code).decline_class is allows


def test_every_row_says_why() -> None:
    assert all(len(row.reason) > 10 for row in KNOWN.declines.codes.values())


@pytest.mark.parametrize(
    ("signals", "decided", "by"),
    [
        ({"network_decline_code": "51", "decline_code": "generic_decline"}, "wait_for_funds", "decline code 51"),
        ({"network_decline_code": "91", "decline_code": "do_not_honor"}, "issuer_ill", "decline code 91"),
        ({"network_decline_code": "R0", "decline_code": "insufficient_funds"}, "never_again", "decline code R0"),
        (
            {"network_decline_code": "05", "decline_code": "insufficient_funds"},
            "wait_for_funds",
            "code insufficient_funds",
        ),
        ({"network_decline_code": "51", "decline_code": "stolen_card"}, "never_again", "code stolen_card"),
        (
            {"advice_code": "do_not_try_again", "decline_code": "insufficient_funds"},
            "never_again",
            "advice do_not_try_again",
        ),
        (
            {"advice_code": "confirm_card_data", "decline_code": "do_not_honor"},
            "stale_card",
            "advice confirm_card_data",
        ),
        (
            {"advice_code": "try_again_later", "decline_code": "insufficient_funds"},
            "wait_for_funds",
            "code insufficient_funds",
        ),
        ({"decline_code": "lost_card", "error_code": "card_declined"}, "never_again", "code lost_card"),
        ({"error_code": "expired_card"}, "stale_card", "code expired_card"),
        ({}, "careful", "no code"),
    ],
)
def test_which_signal_wins(signals: dict[str, str], decided: str, by: str) -> None:
    verdict = judged(**signals)  # type: ignore[arg-type]
    assert verdict.decline_class == decided
    assert verdict.by.endswith(by)


def test_an_unknown_code_is_the_generic_decline_and_says_that_it_is_unknown() -> None:
    verdict = judged(decline_code="code_of_tomorrow")
    assert (verdict.decline_class, verdict.known) == (DeclineClass.CAREFUL, False)
    assert judged(decline_code="do_not_honor").known


@pytest.mark.parametrize("code", ["04", "07", "12", "14", "15", "41", "43", "46", "R0", "R1", "R3"])
def test_visa_category_one_is_never_reattempted_in_any_edition(code: str) -> None:
    for at in (datetime(2025, 6, 1, tzinfo=UTC), APRIL, OCTOBER):
        assert judged(at, network_decline_code=code).decline_class is DeclineClass.NEVER_AGAIN


def test_visa_57_changes_on_its_date() -> None:
    assert judged(APRIL, network_decline_code="57").decline_class is DeclineClass.CAREFUL
    assert judged(OCTOBER, network_decline_code="57").decline_class is DeclineClass.NEVER_AGAIN


@pytest.mark.parametrize(
    ("country", "asks"), [("DE", True), ("GB", True), ("ZA", True), ("AE", True), ("US", False), ("JP", False)]
)
def test_visa_70_and_1a_are_regional(country: str, asks: bool) -> None:
    for code in ("70", "1A"):
        verdict = judged(country=country, network_decline_code=code)
        assert (verdict.decline_class is DeclineClass.AUTHENTICATE) is asks


def test_no_country_is_in_two_regions_of_one_pack() -> None:
    for pack in KNOWN.networks.packs:
        countries = [country for region in pack.regional for country in region.countries]
        assert len(countries) == len(set(countries))


def test_mastercard_in_brazil_has_a_cap_more() -> None:
    at_home, abroad = (KNOWN.networks.in_force("mastercard", OCTOBER, country) for country in ("BR", "PT"))
    assert {(cap.tries_max, cap.window_hours) for cap in abroad.caps} == {(10, 24), (35, 720)}
    assert {(cap.tries_max, cap.window_hours) for cap in at_home.caps} == {(10, 24), (35, 720), (8, 720)}
    assert at_home.name() == "mastercard-2025-01 (Brazil)"


def test_the_budgets_and_fees_are_those_published() -> None:
    visa = KNOWN.networks.in_force("visa", OCTOBER)
    assert [(cap.tries_max, cap.window_hours, cap.per_amount, cap.customer_tries) for cap in visa.caps] == [
        (20, 720, True, False)
    ]
    beyond = next(fee for fee in visa.fees if fee.charged_for is FeeFor.BEYOND_CAP)
    assert (beyond.domestic_minor, beyond.cross_border_minor, beyond.currency) == (10, 15, "usd")
    mastercard = KNOWN.networks.in_force("mastercard", OCTOBER)
    assert {fee.charged_for: fee.domestic_minor for fee in mastercard.fees} == {
        FeeFor.BEYOND_CAP: 50,
        FeeFor.AFTER_NEVER_AGAIN: 3,
        FeeFor.WAIT_ADVICE: 2,
    }


@pytest.mark.parametrize(
    ("code", "hours"),
    [("02", 72), ("24", 1), ("25", 24), ("26", 48), ("27", 96), ("28", 144), ("29", 192), ("30", 240)],
)
def test_mastercard_s_not_before(code: str, hours: int) -> None:
    assert judged(brand="mastercard", network_advice_code=code, decline_code="do_not_honor").wait_hours == hours


def test_other_brands_fall_to_our_own_default() -> None:
    for brand in ("amex", "discover", "jcb", "a brand of tomorrow", None):
        assert KNOWN.networks.in_force(brand, OCTOBER).caps[0].tries_max == 8


def test_a_region_replaces_codes_and_adds_caps() -> None:
    pack = KNOWN.networks.in_force("visa", OCTOBER)
    cap = Cap(tries_max=3, window_hours=24, per_amount=False)
    rule = CodeRule(advice=Advice.WAIT, hours=5, reason="a regional wait")
    there = replace(pack, regional=(Region(name="Here", countries=("XX",), caps=(cap,), decline_codes={"51": rule}),))
    assert there.in_country("YY") is there
    assert there.in_country("XX").caps == (*pack.caps, cap)
    assert there.in_country("XX").decline_codes["51"] == rule
