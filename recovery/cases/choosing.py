"""Which of the customer's cards the next charge uses. Without one answer the engine would count one card's budget and charge another.

The order: the card that the customer chose since, or later than the subscription's own; the subscription's default; the customer's
default; the other cards as backups, where policy and consent allow. Details known dead are passed over where anything else is left.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from recovery.cases.case import SILENT_TRY, Case, Purpose
from recovery.cases.correcting import lifted
from recovery.cases.facts import CardRefreshed, ChargeDue
from recovery.cases.lifecycle import State
from recovery.cases.obligation import Charge, ChargeStatus, ObligationStatus
from recovery.cases.policy import BackupUse, Policy
from recovery.cases.rules import Rules
from recovery.cases.showing import with_cards
from recovery.cases.wallet import KeptCard, Place
from recovery.declines.signals import Card
from recovery.values import replace


def card_read(case: Case, fact: CardRefreshed | ChargeDue, *, now: datetime, rules: Rules) -> Card | None:
    """The card that a reading leads to. Engine and decision both ask here, so budget and charge are of one card."""
    if _is_only(fact.card, fact.cards):
        return fact.card
    own = rules.for_case(case)
    return next_card(noticed(with_cards(case, fact), fact, now=now, rules=own), fact.card, own.policy)


def shows_cards(fact: CardRefreshed | ChargeDue) -> bool:
    """Whether a reading says which cards the customer has, or that there are none any more."""
    return bool(fact.cards) or (fact.card is None and fact.obligation.status is ObligationStatus.OPEN)


def noticed(case: Case, fact: CardRefreshed | ChargeDue, *, now: datetime, rules: Rules) -> Case:
    """The case with a reading of the customer's cards, with what they chose or corrected, if they did.

    What the reading shows must have been noted already, see ``with_cards``.
    """
    cards = fact.cards
    case = lifted(case, fact.obligation.charges, now=now, rules=rules) if case.corrections else case
    if cards == case.wallet or not shows_cards(fact):
        return case
    named = {kept.card.payment_method: kept for kept in cards if kept.place is not Place.ATTACHED}
    chosen = [kept for kept in named.values() if _is_choice(case, kept, cards, rules.policy)]
    untried_first = sorted(chosen, key=lambda kept: (case.was_presented(kept.card), -_saved(kept)))
    kept_to = case.choice if case.choice in named else None
    choice = untried_first[0].card.payment_method if untried_first else kept_to
    return replace(case, wallet=cards, choice=choice)


def _is_choice(case: Case, kept: KeptCard, cards: tuple[KeptCard, ...], policy: Policy) -> bool:
    """Whether the customer put this card where it is: after the failure, or later than the subscription's own card was saved.

    The portal sets only the customer's default, so a customer may have changed the card before the renewal and failed all the same.
    """
    if kept.saved_at is not None and kept.saved_at > case.failed_at:
        return True
    if case.wallet:
        before = {each.card.payment_method: each.place for each in case.wallet}
        was = before.get(kept.card.payment_method)
        moved = was is not kept.place and not (was is Place.SUBSCRIPTION and kept.place is Place.CUSTOMER)
        if moved:
            return True
    own = next((each for each in cards if each.place is Place.SUBSCRIPTION), None)
    if kept.place is not Place.CUSTOMER or own is None or not policy.cards.newer_default:
        return False
    return kept.saved_at is not None and own.saved_at is not None and kept.saved_at > own.saved_at


def _saved(kept: KeptCard) -> float:
    return kept.saved_at.timestamp() if kept.saved_at else 0.0


def next_card(case: Case, default: Card | None, policy: Policy) -> Card | None:
    """What to charge next, given the gateway's own default: fresh details first, then the turn of a backup, then what was tried."""
    if _is_only(default, case.wallet):
        return default
    choice = next((kept.card for kept in case.wallet if kept.card.payment_method == case.choice), None)
    if choice is not None and (case.is_dead(choice) or needs_agreement(case, choice, policy)):
        choice = None  # what the customer chose is not that card any more
    if choice is not None and not case.was_presented(choice):
        return choice
    if default is not None and is_fresh(case, default, policy):
        return default
    turn = case.card
    if turn is not None and any(turn.same_details(each) for each in backups(case, policy)):
        return turn
    return choice or default


def _is_only(default: Card | None, cards: Sequence[KeptCard]) -> bool:
    """Whether the gateway's default is the only card there is: then nothing is left to choose, whatever is known of it."""
    return len(cards) == 1 and cards[0].card is default


def is_fresh(case: Case, card: Card, policy: Policy) -> bool:
    """Whether details may be charged that were not charged before."""
    return not case.was_tried(card) and not case.is_dead(card) and not needs_agreement(case, card, policy)


def is_untried(case: Case, card: Card) -> bool:
    """Whether charging these details now would be something new: other details, or the customer's own wish."""
    return case.purpose_of(card) is not SILENT_TRY and not case.is_dead(card)


def needs_agreement(case: Case, card: Card, policy: Policy) -> bool:
    """Whether charging a stored card without the customer needs the cardholder's agreement first.

    It became one of another brand; or it is news of an updater or a backup, issued where nothing is charged without the customer.
    What was tried already is judged by its decline, what the customer chose by their choice.
    """
    if not policy.cards.charge_after_brand_change and case.brand_before(card) is not None:
        return True
    if card.country not in policy.cards.customer_only_countries:
        return False
    return case.purpose_of(card) in (Purpose.REFRESHED_CARD, Purpose.BACKUP_CARD)


def default_card(case: Case) -> Card | None:
    """What the gateway itself would charge, as the last reading showed it."""
    first = case.wallet[0] if case.wallet else None
    return first.card if first is not None and first.place is not Place.ATTACHED else None


def fresh_waits(case: Case, policy: Policy) -> bool:
    """Whether the last reading showed details that may be charged and were not: it came while an attempt was open."""
    card = next_card(case, default_card(case), policy)
    if card is None or case.is_backup(card) or needs_agreement(case, card, policy):
        return False
    return is_untried(case, card)


def backups(case: Case, policy: Policy) -> tuple[Card, ...]:
    """The customer's other cards that may still be tried without asking, in their order: each once, so many in all."""
    wish = policy.cards
    if wish.backup is BackupUse.NEVER or case.state is not State.SILENT:
        return ()
    allowed = [kept.card for kept in case.wallet if _consents(kept, wish.backup) and case.is_backup(kept.card)]
    untried = [card for card in allowed if is_fresh(case, card, policy)]
    return tuple(untried[: max(wish.backups_max - case.backup_tries, 0)]) if untried else ()


def _consents(kept: KeptCard, use: BackupUse) -> bool:
    return bool(kept.consent) if use is BackupUse.WITH_CONSENT else kept.consent is not False


def turned_to(case: Case, card: Card, charges: Iterable[Charge], *, now: datetime, rules: Rules) -> Case:
    """The case judged by a card's own last decline, when the newest decline was on another one.

    A hard decline of one card must not stop the ladder of the customer's other card.
    """
    if case.tried_card is None or card.same_details(case.tried_card):
        return case
    mine = [c for c in charges if c.status is ChargeStatus.FAILED and c.signals and card.same_details(c.card)]
    last = max(mine, key=lambda charge: charge.created_at, default=None)
    if last is None or last.signals is None:
        return case
    return replace(
        case,
        verdict=rules.verdict(last.signals, last.card, now),
        signals=last.signals,
        tried_card=last.card,
        last_failure_at=last.created_at,
    )
