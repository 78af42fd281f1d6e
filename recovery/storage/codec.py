"""Values to JSON and back. Without it every store would spell the fields of a card in its own way."""

from typing import Any

from pydantic import TypeAdapter

from recovery.cases.case import Case
from recovery.cases.grounds import Grounds
from recovery.cases.policy import Policy
from recovery.cases.rules import Elder
from recovery.declines.signals import Card, Signals

_CARD = TypeAdapter(Card)
_CASE = TypeAdapter(Case)
_ELDER = TypeAdapter(Elder)
_SIGNALS = TypeAdapter(Signals)
_POLICY = TypeAdapter(Policy)
_GROUNDS = TypeAdapter(Grounds)


def card_json(card: Card | None) -> Any:  # noqa: ANN401 - JSON
    """A card as JSON, or None."""
    return None if card is None else _CARD.dump_python(card, mode="json")


def card_from(value: Any) -> Card | None:  # noqa: ANN401 - JSON
    """A card from JSON, or None."""
    return None if value is None else _CARD.validate_python(value)


def case_json(case: Case) -> str:
    """What a row of the table of cases holds of a case, as a document; its amount is told apart."""
    return _CASE.dump_json(case, exclude=_IN_OTHER_TABLES).decode()


_IN_OTHER_TABLES: Any = {"amount", "attempts", "steps", "exhausted"}


def case_from(document: str) -> Case:
    """A case from a document that also holds its amount, attempts, open steps and exhaustion."""
    return _CASE.validate_json(document)


def elder_from(document: str | None) -> Elder | None:
    """An older invoice of the customer from a document, or None."""
    return None if document is None else _ELDER.validate_json(document)


def signals_json(signals: Signals | None) -> Any:  # noqa: ANN401 - JSON
    """Signals as JSON, or None."""
    return None if signals is None else _SIGNALS.dump_python(signals, mode="json")


def signals_from(value: Any) -> Signals | None:  # noqa: ANN401 - JSON
    """Signals from JSON, or None."""
    return None if value is None else _SIGNALS.validate_python(value)


def policy_json(policy: Policy) -> Any:  # noqa: ANN401 - JSON
    """A policy as JSON."""
    return _POLICY.dump_python(policy, mode="json")


def policy_from(value: Any) -> Policy:  # noqa: ANN401 - JSON
    """A policy from JSON that some release kept: what only a later one knows is left out, as its worker may work beside ours."""
    return _POLICY.validate_python(value, extra="ignore")


def grounds_json(grounds: Grounds) -> str:
    """The grounds of a decision as a document."""
    return _GROUNDS.dump_json(grounds).decode()


def grounds_from(value: Any) -> Grounds | None:  # noqa: ANN401 - JSON
    """The grounds of a decision from JSON; None for one that was saved before they were kept."""
    return None if value is None else _GROUNDS.validate_python(value)
