"""Values to JSON and back. Without it every store would spell the fields of a card in its own way."""

from typing import Any

from pydantic import TypeAdapter

from recovery.cases.correcting import Correction
from recovery.cases.grounds import Grounds
from recovery.cases.policy import Policy
from recovery.cases.wallet import KeptCard
from recovery.declines.classify import Verdict
from recovery.declines.signals import Card, Signals

_CARD = TypeAdapter(Card)
_CARDS = TypeAdapter(tuple[Card, ...])
_WALLET = TypeAdapter(tuple[KeptCard, ...])
_CORRECTIONS = TypeAdapter(tuple[Correction, ...])
_SIGNALS = TypeAdapter(Signals)
_VERDICT = TypeAdapter(Verdict)
_POLICY = TypeAdapter(Policy)
_GROUNDS = TypeAdapter(Grounds)


def card_json(card: Card | None) -> Any:  # noqa: ANN401 - JSON
    """A card as JSON, or None."""
    return None if card is None else _CARD.dump_python(card, mode="json")


def card_from(value: Any) -> Card | None:  # noqa: ANN401 - JSON
    """A card from JSON, or None."""
    return None if value is None else _CARD.validate_python(value)


def cards_json(cards: tuple[Card, ...]) -> Any:  # noqa: ANN401 - JSON
    """Cards as JSON."""
    return _CARDS.dump_python(cards, mode="json")


def cards_from(value: Any) -> tuple[Card, ...]:  # noqa: ANN401 - JSON
    """Cards from JSON."""
    return _CARDS.validate_python(value)


def wallet_json(cards: tuple[KeptCard, ...]) -> Any:  # noqa: ANN401 - JSON
    """The customer's cards as JSON."""
    return _WALLET.dump_python(cards, mode="json")


def wallet_from(value: Any) -> tuple[KeptCard, ...]:  # noqa: ANN401 - JSON
    """The customer's cards from JSON."""
    return _WALLET.validate_python(value)


def corrections_json(corrections: tuple[Correction, ...]) -> Any:  # noqa: ANN401 - JSON
    """Corrected entries as JSON."""
    return _CORRECTIONS.dump_python(corrections, mode="json")


def corrections_from(value: Any) -> tuple[Correction, ...]:  # noqa: ANN401 - JSON
    """Corrected entries from JSON."""
    return _CORRECTIONS.validate_python(value)


def signals_json(signals: Signals | None) -> Any:  # noqa: ANN401 - JSON
    """Signals as JSON, or None."""
    return None if signals is None else _SIGNALS.dump_python(signals, mode="json")


def signals_from(value: Any) -> Signals | None:  # noqa: ANN401 - JSON
    """Signals from JSON, or None."""
    return None if value is None else _SIGNALS.validate_python(value)


def verdict_json(verdict: Verdict | None) -> Any:  # noqa: ANN401 - JSON
    """A verdict as JSON, or None."""
    return None if verdict is None else _VERDICT.dump_python(verdict, mode="json")


def verdict_from(value: Any) -> Verdict | None:  # noqa: ANN401 - JSON
    """A verdict from JSON, or None."""
    return None if value is None else _VERDICT.validate_python(value)


def policy_json(policy: Policy) -> Any:  # noqa: ANN401 - JSON
    """A policy as JSON."""
    return _POLICY.dump_python(policy, mode="json")


def policy_from(value: Any) -> Policy:  # noqa: ANN401 - JSON
    """A policy from JSON that some release kept: what only a later one knows is left out, as its worker may work beside ours."""
    return _POLICY.validate_python(value, extra="ignore")


def grounds_json(grounds: Grounds) -> Any:  # noqa: ANN401 - JSON
    """The grounds of a decision as JSON."""
    return _GROUNDS.dump_python(grounds, mode="json")


def grounds_from(value: Any) -> Grounds | None:  # noqa: ANN401 - JSON
    """The grounds of a decision from JSON; None for one that was saved before they were kept."""
    return None if value is None else _GROUNDS.validate_python(value)
