"""Which of several cards is charged next, in the pure core."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cases_support import (
    CARD,
    EXPIRED,
    FAILED_AT,
    FUNDS,
    LOST,
    NIGHT,
    OPEN_HOUR,
    OTHER,
    attempt,
    charge,
    opened,
    owed,
    rules,
)
from cases_support import planned as plans

from recovery.cases import facts
from recovery.cases.answers import Declined
from recovery.cases.case import Case, Decision, Purpose
from recovery.cases.choosing import card_read, needs_agreement, turned_to
from recovery.cases.decide import decide
from recovery.cases.lifecycle import AttemptStatus, State, StepKind
from recovery.cases.policy import BackupUse, Policy
from recovery.cases.rules import CardUse
from recovery.cases.updating import (
    Closed,
    ContactCardholder,
    Freshness,
    NotYetKnown,
    OtherFound,
    Unchanged,
    Updated,
    compared,
    told,
)
from recovery.cases.wallet import KeptCard, Place, Wallet, ordered
from recovery.declines.signals import Card, Signals

LONG_AGO = FAILED_AT - timedelta(days=300)
THIRD = replace(CARD, payment_method="pm_3", fingerprint="fp_3", last4="1881")


def kept(card: Card, place: Place, *, at: object = LONG_AGO, consent: bool | None = None) -> KeptCard:
    return KeptCard(card=card, place=place, saved_at=at, consent=consent)  # type: ignore[arg-type]


def wallet(*cards: KeptCard) -> Wallet:
    in_order = ordered(list(cards))
    default = in_order[0].card if in_order and in_order[0].place is not Place.ATTACHED else None
    return Wallet(default=default, cards=in_order)


def read(case: Case, seen: Wallet, *, due: bool = False, policy: Policy | None = None, **others: object) -> Decision:
    """What a reading of these cards leads to, with the use of the card that it leads to."""
    kind = facts.ChargeDue if due else facts.CardRefreshed
    obligation = owed(charges=(charge(signals=case.signals),))
    fact = kind(obligation=obligation, card=seen.default, cards=seen.cards, step_id=1)
    known = replace(rules(), policy=policy or rules().policy)
    card = card_read(case, fact, now=others.get("now", OPEN_HOUR), rules=known)  # type: ignore[arg-type]
    usage = CardUse(budget_key=card.budget_key if card else "", uses=())
    return decide(case, fact, now=others.get("now", OPEN_HOUR), rules=known, usage=usage)  # type: ignore[arg-type]


def allowing(use: BackupUse, number: int = 2) -> Policy:
    policy = rules().policy
    return replace(policy, cards=replace(policy.cards, backup=use, backups_max=number))


AUTHENTICATE = Signals(error_code="authentication_required", decline_code="authentication_required")
REFUSED = Declined(signals=FUNDS, charge_id="ch_7")
OWN = kept(CARD, Place.SUBSCRIPTION)


def test_a_default_saved_since_is_the_customers_choice_and_tried_at_night() -> None:
    seen = wallet(OWN, kept(OTHER, Place.CUSTOMER, at=FAILED_AT + timedelta(hours=1)))
    decision = read(opened(), seen, now=NIGHT)
    assert plans(decision) == {StepKind.CHARGE_CARD: NIGHT}
    begun = read(decision.case, seen, due=True, now=NIGHT).start
    assert begun is not None
    assert (begun.card, begun.purpose) == (OTHER, Purpose.CUSTOMER_CARD)


@pytest.mark.parametrize(("newer", "chosen"), [(True, True), (False, False)])
def test_a_default_saved_after_the_subscriptions_own_counts_if_policy_says_so(*, newer: bool, chosen: bool) -> None:
    seen = wallet(OWN, kept(OTHER, Place.CUSTOMER, at=LONG_AGO + timedelta(days=9)))
    policy = replace(rules().policy, cards=replace(rules().policy.cards, newer_default=newer))
    assert (read(opened(), seen, policy=policy).case.choice == "pm_2") is chosen


def test_a_default_that_was_there_before_is_no_choice_until_it_moves() -> None:
    before = wallet(kept(CARD, Place.CUSTOMER), kept(OTHER, Place.ATTACHED))
    first = read(opened(), before)
    assert first.case.choice is None
    moved = wallet(kept(CARD, Place.ATTACHED), kept(OTHER, Place.CUSTOMER))
    assert read(first.case, moved).case.choice == "pm_2"


def test_a_card_merely_saved_is_neither_choice_nor_charged() -> None:
    seen = wallet(OWN, kept(OTHER, Place.ATTACHED, at=FAILED_AT + timedelta(hours=1)))
    decision = read(opened(LOST), seen)
    assert decision.case.choice is None
    assert decision.case.state is State.DUNNING


def test_the_same_card_saved_anew_is_tried_once_more() -> None:
    """The customer who types the card in again after an email means: now."""
    again = replace(CARD, payment_method="pm_9")
    seen = wallet(OWN, kept(again, Place.CUSTOMER, at=FAILED_AT + timedelta(hours=1)))
    assert plans(read(opened(), seen, now=NIGHT)) == {StepKind.CHARGE_CARD: NIGHT}
    assert read(opened(EXPIRED), seen).start is None, "but not if its details are dead"


def test_a_card_saved_anew_that_others_tried_at_once_is_not_tried_again() -> None:
    """Seed 111747: the gateway charged it within seconds, and its holder's bank wants them to authenticate."""
    again = replace(CARD, payment_method="pm_9")
    seen = wallet(OWN, kept(again, Place.CUSTOMER, at=FAILED_AT + timedelta(hours=1)))
    chosen = read(opened(AUTHENTICATE), seen)
    assert StepKind.CHARGE_CARD in plans(chosen)
    theirs = charge("ch_9", signals=AUTHENTICATE, card=again, created_at=FAILED_AT + timedelta(hours=2))
    heard = facts.PaymentFailed(charge=theirs, obligation=owed(charges=(theirs,)))
    nothing_used = CardUse(budget_key="", uses=())
    told = decide(chosen.case, heard, now=OPEN_HOUR, rules=rules(), usage=nothing_used).case
    assert read(told, seen, due=True).start is None


@pytest.mark.parametrize(
    ("use", "said", "tried"),
    [
        (BackupUse.NEVER, True, False),
        (BackupUse.WITH_CONSENT, None, False),
        (BackupUse.WITH_CONSENT, True, True),
        (BackupUse.ALWAYS, None, True),
        (BackupUse.ALWAYS, False, False),
    ],
)
def test_backups_need_policy_and_consent(*, use: BackupUse, said: bool | None, tried: bool) -> None:
    seen = wallet(OWN, kept(OTHER, Place.ATTACHED, consent=said))
    decision = read(opened(LOST), seen, policy=allowing(use))
    assert (StepKind.CHARGE_CARD in plans(decision)) is tried
    if tried:
        begun = read(decision.case, seen, due=True, policy=allowing(use)).start
        assert begun is not None
        assert (begun.card, begun.purpose) == (OTHER, Purpose.BACKUP_CARD)


def test_backups_come_newest_first_once_each_and_so_many_in_all() -> None:
    newer = kept(THIRD, Place.ATTACHED, at=LONG_AGO + timedelta(days=1), consent=True)
    seen = wallet(OWN, kept(OTHER, Place.ATTACHED, consent=True), newer)
    case = read(opened(LOST), seen).case
    assert case.card == THIRD
    refused = attempt(1, AttemptStatus.DECLINED, card=THIRD, purpose=Purpose.BACKUP_CARD)
    after = replace(case, attempts=(refused,), card=CARD)
    assert read(after, seen).case.card == OTHER
    assert read(after, seen, policy=allowing(BackupUse.WITH_CONSENT, 1)).case.state is State.DUNNING


def test_another_brand_needs_the_holders_agreement_unless_the_policy_says_otherwise() -> None:
    reissued = replace(CARD, brand="mastercard", fingerprint="fp_7", exp_year=2031)
    seen = wallet(kept(reissued, Place.CUSTOMER))
    assert read(opened(EXPIRED), seen).case.state is State.DUNNING
    policy = replace(rules().policy, cards=replace(rules().policy.cards, charge_after_brand_change=True))
    assert StepKind.CHARGE_CARD in plans(read(opened(EXPIRED), seen, policy=policy))


def test_a_card_issued_in_india_is_charged_only_when_its_holder_chose_it() -> None:
    home = replace(CARD, country="IN")
    renewed = replace(home, fingerprint="fp_7", exp_year=2031)
    case = replace(opened(EXPIRED), card=home, tried_card=home, dead_cards=(home,))
    found = read(case, wallet(kept(renewed, Place.SUBSCRIPTION)))
    assert (found.case.state, StepKind.CHARGE_CARD in plans(found)) == (State.DUNNING, False)
    assert "now visa" in str(found.reason)
    assert "issued in IN" in str(found.reason)
    backup = kept(replace(OTHER, country="IN"), Place.ATTACHED, consent=True)
    assert StepKind.CHARGE_CARD not in plans(read(opened(LOST), wallet(OWN, backup), policy=allowing(BackupUse.ALWAYS)))
    chosen = kept(replace(OTHER, country="IN"), Place.CUSTOMER, at=FAILED_AT + timedelta(hours=1))
    assert StepKind.CHARGE_CARD in plans(read(opened(), wallet(OWN, chosen)))


def test_a_try_on_a_card_issued_in_india_that_an_older_release_planned_is_not_made() -> None:
    home = replace(CARD, country="IN")
    case = replace(opened(), card=home, tried_card=home)
    assert case.verdict is not None
    assert case.verdict.decline_class in rules().policy.ladders
    due = read(case, wallet(kept(home, Place.SUBSCRIPTION)), due=True)
    assert (due.start, due.case.state) == (None, State.DUNNING)
    assert "cards issued there are not charged without the customer" in str(due.reason)


REBRANDED = replace(CARD, brand="mastercard", fingerprint="fp_7", last4="0007", exp_year=2031)


def test_a_decline_of_the_new_brand_does_not_make_the_old_one_forgotten() -> None:
    """The gateway, or the customer, tried the new brand meanwhile; that is nobody's agreement to our charges."""
    case = opened()
    foreign = charge("ch_9", card=REBRANDED, created_at=FAILED_AT + timedelta(days=1))
    turned = turned_to(case, REBRANDED, (foreign,), now=OPEN_HOUR, rules=rules())
    assert turned.tried_card == REBRANDED
    assert needs_agreement(turned, REBRANDED, rules().policy)


def test_a_brand_is_remembered_whoever_showed_it_and_in_whatever_order() -> None:
    """Memories kept beside the newest decline were lost as soon as another card was declined."""
    first = read(opened(), wallet(OWN, kept(OTHER, Place.ATTACHED))).case
    elsewhere = replace(first, tried_card=OTHER, attempts=(), dead_cards=())
    for card in (REBRANDED, replace(OTHER, brand="amex", fingerprint="fp_8")):
        assert needs_agreement(elsewhere, card, rules().policy)
    assert not needs_agreement(elsewhere, replace(REBRANDED, fingerprint="fp_1"), rules().policy), "co-badged"
    back = replace(CARD, fingerprint="fp_9", last4="0009")
    assert not needs_agreement(elsewhere, back, rules().policy)
    assert needs_agreement(read(elsewhere, wallet(kept(REBRANDED, Place.SUBSCRIPTION))).case, back, rules().policy)


def test_the_card_that_failed_first_is_no_backup_once_another_was_tried() -> None:
    """Only the newest decline's card was remembered: the first one passed for a fresh backup and was charged outside its turn."""
    chosen = kept(OTHER, Place.SUBSCRIPTION, at=FAILED_AT + timedelta(hours=1))
    seen = wallet(chosen, kept(CARD, Place.ATTACHED))
    case = read(opened(), seen).case
    lost = attempt(card=OTHER, purpose=Purpose.CUSTOMER_CARD)
    busy = replace(case, attempts=(lost,))
    gone = facts.AttemptAnswered(attempt_id=lost.id, answer=Declined(signals=LOST, charge_id="ch_7"))
    after = decide(busy, gone, now=OPEN_HOUR, rules=rules(), usage=CardUse(budget_key="fp_2", uses=())).case
    assert read(after, seen, policy=allowing(BackupUse.ALWAYS)).case.state is State.DUNNING


def test_a_choice_that_became_another_brand_does_not_keep_the_backup_from_its_turn() -> None:
    """The backup was planned, the choice was found at firing and could not be charged, and the backup was planned, for ever."""
    chosen = kept(OTHER, Place.CUSTOMER, at=FAILED_AT + timedelta(hours=1))
    backup = kept(THIRD, Place.ATTACHED, consent=True)
    case = read(opened(), wallet(chosen, OWN, backup)).case
    assert case.choice == "pm_2"
    rebranded = replace(chosen, card=replace(OTHER, brand="mastercard", fingerprint="fp_8"))
    seen = wallet(rebranded, backup)
    planned = read(case, seen)
    assert planned.case.card == THIRD
    begun = read(planned.case, seen, due=True).start
    assert begun is not None
    assert (begun.card, begun.purpose) == (THIRD, Purpose.BACKUP_CARD)


def test_fresh_details_read_while_an_attempt_is_open_are_used_after_it() -> None:
    """The reading could do nothing then; without a memory of it the next one would come days later."""
    busy = opened(attempts=(attempt(card=CARD),))
    fresh = wallet(kept(replace(CARD, exp_year=2035), Place.SUBSCRIPTION))
    seen = read(busy, fresh).case
    told = facts.AttemptAnswered(attempt_id="case_in_1-1", answer=REFUSED)
    after = decide(seen, told, now=OPEN_HOUR, rules=rules(), usage=CardUse(budget_key="fp_1", uses=()))
    assert plans(after) == {StepKind.REFRESH_CARD: OPEN_HOUR}


@pytest.mark.parametrize("answer", [Closed(), ContactCardholder()])
def test_what_the_updater_says_for_good_ends_the_wait(answer: Freshness) -> None:
    seen = wallet(OWN)
    fact = facts.CardRefreshed(obligation=owed(), card=CARD, cards=seen.cards, step_id=1, asked=CARD, updater=answer)
    after = decide(opened(EXPIRED), fact, now=OPEN_HOUR, rules=rules(), usage=CardUse(budget_key="fp_1", uses=()))
    assert after.case.state is State.DUNNING
    assert told(answer) in str(after.reason)


def test_fresh_details_win_over_an_updater_that_knows_of_none() -> None:
    fresh = replace(CARD, exp_year=2035)
    seen = wallet(kept(fresh, Place.SUBSCRIPTION))
    fact = facts.CardRefreshed(obligation=owed(), card=fresh, cards=seen.cards, step_id=1, asked=CARD, updater=Closed())
    after = decide(opened(EXPIRED), fact, now=OPEN_HOUR, rules=rules(), usage=CardUse(budget_key="fp_1", uses=()))
    assert StepKind.CHARGE_CARD in plans(after)


def test_what_the_updater_says_of_a_backup_is_not_said_of_the_card_that_is_next() -> None:
    """A backup's account was closed; the subscription's own card, which lacked money only, is tried again all the same."""
    seen = wallet(OWN, kept(OTHER, Place.ATTACHED))
    refused = opened(card=OTHER, dead_cards=(replace(OTHER, fingerprint=None),))
    fact = facts.CardRefreshed(obligation=owed(), card=CARD, cards=seen.cards, step_id=1, asked=OTHER, updater=Closed())
    after = decide(refused, fact, now=OPEN_HOUR, rules=rules(), usage=CardUse(budget_key="fp_1", uses=()))
    assert after.case.is_dead(replace(OTHER, payment_method="pm_9"))
    assert not after.case.is_dead(CARD)
    assert after.case.state is State.SILENT
    assert StepKind.CHARGE_CARD in plans(after)


def test_a_reading_is_compared_with_what_was_charged() -> None:
    later = replace(CARD, exp_year=2035)
    assert compared(CARD, later) == Updated(card=later, changed=("expiry 01/2030 → 01/2035",))
    assert compared(CARD, CARD) == Unchanged()
    assert compared(CARD, OTHER, (kept(OTHER, Place.CUSTOMER),)) == OtherFound(card=OTHER, place=Place.CUSTOMER)
    assert isinstance(compared(CARD, None), NotYetKnown)


def test_an_account_that_the_network_forbids_is_still_looked_up_before_the_customer_is_asked() -> None:
    """Mastercard's "do not try again" forbids the details; the gateway's "invalid account" says that others may exist."""
    gone = Signals(decline_code="invalid_account", network_advice_code="03")
    mastercard = replace(CARD, brand="mastercard")
    verdict = rules().verdict(gone, mastercard, FAILED_AT)
    case = replace(opened(EXPIRED), signals=gone, verdict=verdict, tried_card=mastercard, dead_cards=(mastercard,))
    decision = read(case, wallet(kept(mastercard, Place.CUSTOMER)))
    assert decision.case.state is State.SILENT
    assert StepKind.REFRESH_CARD in plans(decision)


def test_a_card_that_dies_late_is_read_again_as_often_as_one_that_died_first() -> None:
    """The days counted from the first failure: two weeks in, the customer was asked without a single day's patience."""
    late = FAILED_AT + timedelta(days=15, hours=2)
    case = opened(attempts=(attempt(card=CARD, started_at=late),))
    died = facts.AttemptAnswered(attempt_id="case_in_1-1", answer=Declined(signals=EXPIRED, charge_id="ch_7"))
    usage = CardUse(budget_key="fp_1", uses=())
    refused = decide(case, died, now=late, rules=rules(), usage=usage)
    assert plans(refused) == {StepKind.REFRESH_CARD: late}, "at once"
    waits = read(refused.case, wallet(OWN), now=late)
    assert (waits.case.state, plans(waits)) == (State.SILENT, {StepKind.REFRESH_CARD: late + timedelta(days=1)})
    horizon = read(waits.case, wallet(OWN), now=late + timedelta(days=3))
    assert horizon.case.state is State.DUNNING, "never beyond the horizon"
