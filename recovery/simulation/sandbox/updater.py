"""The card updater: the network tells the gateway new details of a stored card.

Without it every expired card would need the customer, and the engine's silent refresh would have nothing to find.
"""

from __future__ import annotations

from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json, JsonValue
from recovery.simulation.sandbox.events import emit
from recovery.simulation.sandbox.ledger import Cause


def refresh_card(core: Core, method_id: str, cause: Cause, **details: JsonValue) -> Json:
    """New details (exp_month, exp_year, last4, fingerprint, brand) arrive for a stored card by themselves.

    Raises KeyError for a field that a card does not have. Hold the store's lock.
    """
    method = core.store.get("payment_method", method_id)
    card = method["card"]
    changed = {name: card[name] for name, value in details.items() if card[name] != value}
    card.update(details)
    emit(core, cause, "payment_method.automatically_updated", method, changed={"card": changed})
    return method
