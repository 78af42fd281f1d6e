"""The sandbox with a witness inside: every pay call, charge, look at the cards and delivered event is noted with the machine's instant.

The gateway's books keep business time only, which a driven clock holds still. Without the machine's instants nobody could tell whether
a call was sent before an older one had landed. The notes are lines of JSON in the file CHAOS_SEEN.
"""

import json
import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from recovery.runtime.cli import main
from recovery.runtime.clock import clock_from, machine_now
from recovery.simulation.sandbox import app, paying, webhooks
from recovery.simulation.sandbox.api import ApiAnswer, ApiRequest
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.shapes import subscription_of

CARDS = "/v1/payment_methods"


class Witness:
    """Writes down what happens, each with both instants."""

    def __init__(self, file: Path, now: Callable[[], datetime]) -> None:
        self._notes = file.open("a", buffering=1)
        self._now = now
        self._lock = threading.Lock()

    def note(self, what: str, **told: object) -> None:
        """One line."""
        line = {"what": what, "at": self._now().isoformat(), "machine_at": machine_now().isoformat(), **told}
        with self._lock:
            self._notes.write(json.dumps(line) + "\n")

    def request(self, core: Core, request: ApiRequest) -> None:
        """A pay call as it arrives, before anything can befall it; or a look at somebody's cards."""
        parts = request.path.strip("/").split("/")
        if request.method == "POST" and parts[-1] == "pay":
            self.note("called", key=request.idempotency_key, invoice=parts[2])
        if request.method == "GET" and request.path == CARDS:
            asked = dict(pair.split("=", 1) for pair in request.text.split("&"))
            with core.store.lock:
                self.note("shown", wallets=_wallets(core, asked["customer"]))


def _wallets(core: Core, customer: str) -> dict[str, list[tuple[str, Any]]]:
    """The cards of each invoice of a customer, with the place of each."""
    store = core.store
    own = store.get("customer", customer)["invoice_settings"]["default_payment_method"]
    attached = [method for method in store.newest("payment_method") if method["customer"] == customer]
    found = {}
    for invoice in store.newest("invoice", "customer", customer):
        name = subscription_of(invoice)
        named = store.get("subscription", name)["default_payment_method"] if name else None
        places = [(named, "subscription"), (own, "customer")]
        placed = [(place, store.find("payment_method", method)) for method, place in places if method]
        found[invoice["id"]] = placed + [("attached", method) for method in attached]
    return found


def install(witness: Witness) -> None:
    """Let the sandbox's own functions tell what they do."""
    answer, book, post = vars(app)["answer"], vars(paying)["book"], vars(webhooks)["_post"]

    async def answered(core: Core, secret_key: str, request: ApiRequest) -> ApiAnswer:
        witness.request(core, request)
        made: ApiAnswer = await answer(core, secret_key, request)
        return made

    def booked(core: Core, tried: Any, charge: Any) -> None:
        book(core, tried, charge)
        witness.note("booked", charge=charge["id"])

    def posted(delivery: Any, connections: Any, timeout: float) -> bool:
        accepted: bool = post(delivery, connections, timeout)
        if accepted:
            witness.note("accepted", event=json.loads(delivery.payload)["id"])
        return accepted

    vars(app)["answer"] = answered
    vars(paying)["book"] = booked
    vars(webhooks)["_post"] = posted


if __name__ == "__main__":
    clock = clock_from(Path(os.environ["RECOVERY_CLOCK_FILE"]))
    install(Witness(Path(os.environ["CHAOS_SEEN"]), clock.now))
    main()
