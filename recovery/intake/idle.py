"""Events that mean nothing to us, told by what they carry. Without it most of what a busy account sends would be stored, claimed and
ended for nothing: customers and invoices change all the time, and cards seldom.
"""

from collections.abc import Mapping
from typing import Any


def is_idle(kind: str, content: Mapping[str, Any]) -> bool:
    """Whether an event of this kind and content can have no effect, whenever it is worked through."""
    match kind:
        case "invoice.updated":
            return not _plans_retry(content)
        case "customer.updated":
            return _spares_cards(content)
        case _:
            return False


def _plans_retry(content: Mapping[str, Any]) -> bool:
    """Whether the gateway itself means to retry a failed invoice: the sign that its own retries are on."""
    planned = content.get("next_payment_attempt") and content.get("attempt_count")
    return bool(planned) and content.get("status") == "open"


def _spares_cards(content: Mapping[str, Any]) -> bool:
    """Whether a change of a customer left their cards alone; an event that only names the customer may mean anything."""
    changed = content.get("changed")
    return not (isinstance(changed, str) and changed) and set(content) != {"customer"}
