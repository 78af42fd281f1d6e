"""What befalls the objects of a sandbox, for tests: the gateway, the customer and the bank do something.

Without these levers only the engine could act, and nothing would ever happen behind its back.
"""

from __future__ import annotations

from recovery.simulation.answers import Answer
from recovery.simulation.sandbox import billing, givebacks, hosted
from recovery.simulation.sandbox.banks import address_corrected
from recovery.simulation.sandbox.cards import script
from recovery.simulation.sandbox.errors import Json, JsonValue, Refused
from recovery.simulation.sandbox.makers import Behaviour, Makers
from recovery.simulation.sandbox.methods import detach
from recovery.simulation.sandbox.orders import PayOrder
from recovery.simulation.sandbox.paying import attempt
from recovery.simulation.sandbox.settling import change
from recovery.simulation.sandbox.shapes import intent_of, shown
from recovery.simulation.sandbox.updater import refresh_card


class Levers(Makers):
    """Levers on one core; each takes the lock for itself and raises Refused like the API."""

    def read(self, object_id: str) -> Json:
        """A copy of any stored object, in the sandbox's shape. Raises KeyError when there is none."""
        with self.core.store.lock:
            found = self.core.store.by_any_id(object_id)
            if found is None:
                raise KeyError(object_id)
            return shown(self.core.store, found, self.core.options.shape)

    def rescript(self, method: str, behaviour: Behaviour) -> None:
        """Let a card answer otherwise from now on."""
        with self.core.store.lock:
            card = self.core.store.get("payment_method", method)["card"]
            told: list[str | Answer] = [behaviour] if isinstance(behaviour, str) else list(behaviour)
            script(self.core.store, card["fingerprint"], told, brand=card["brand"])

    def refresh_card(self, method: str, **details: JsonValue) -> None:
        """The card updater brings new details; the event is `payment_method.automatically_updated`."""
        with self.core.store.lock:
            refresh_card(self.core, method, self.core.cause("world"), **details)

    def correct_address(self, method: str, *, postal_code: str = "94110", rightly: bool = True) -> None:
        """The customer changes a stored card's billing address; `rightly` when the issuer has the same."""
        with self.core.store.lock:
            found = self.core.store.get("payment_method", method)
            if rightly:
                address_corrected(self.core.store, found["card"]["fingerprint"])
            billing = found["billing_details"]
            address = billing["address"] | {"postal_code": postal_code}
            cause = hosted.customer_cause(self.core)
            change(self.core, cause, "payment_method.updated", found, billing_details=billing | {"address": address})

    def detach_card(self, method: str) -> None:
        """The card is taken off its customer."""
        with self.core.store.lock:
            detach(self.core, method, self.core.cause("world"))

    def gateway_attempt(self, invoice: str) -> Refused | None:
        """The gateway tries by itself, as when its own retries are on; the refusal, if any."""
        with self.core.store.lock:
            return attempt(self.core, PayOrder(invoice=invoice, cause=self.core.cause("gateway")))

    def customer_pays(self, invoice: str, *, method: str | None = None) -> Refused | None:
        """The customer pays on the hosted page; the refusal, if any."""
        with self.core.store.lock:
            return hosted.pay_as_customer(self.core, invoice, method=method, cause=hosted.customer_cause(self.core))

    def customer_saves_card(self, customer: str, method: str) -> None:
        """The portal's card form: only the customer's default changes."""
        with self.core.store.lock:
            hosted.save_card_as_customer(self.core, customer, method, hosted.customer_cause(self.core))

    def void(self, invoice: str) -> None:
        """The merchant voids an invoice in the dashboard."""
        with self.core.store.lock:
            found = self.core.store.get("invoice", invoice)
            billing.end_invoice(self.core, found, "void", self.core.cause("world"))

    def change_amount(self, invoice: str, amount_remaining_minor: int) -> None:
        """A credit note or a partial payment changes what is left to pay."""
        with self.core.store.lock:
            found = self.core.store.get("invoice", invoice)
            change(
                self.core,
                self.core.cause("world"),
                "invoice.updated",
                found,
                amount_remaining=amount_remaining_minor,
            )

    def cancel_subscription(self, subscription: str, *, feedback: str | None = None) -> None:
        """The customer cancels; open invoices stay open."""
        with self.core.store.lock:
            found = self.core.store.get("subscription", subscription)
            cause = hosted.customer_cause(self.core)
            billing.cancel_subscription(self.core, found, cause, reason="cancellation_requested", feedback=feedback)

    def refund(self, invoice: str, *, amount_minor: int | None = None) -> str:
        """The merchant gives back what paid this invoice, all of it or a part; the refund's id."""
        with self.core.store.lock:
            cause = self.core.cause("world")
            return str(givebacks.refund(self.core, self._charge(invoice), cause, amount_minor=amount_minor)["id"])

    def fail_refund(self, refund: str) -> None:
        """A refund does not reach the customer."""
        with self.core.store.lock:
            givebacks.fail_refund(self.core, self.core.store.get("refund", refund), self.core.cause("world"))

    def dispute(self, invoice: str) -> str:
        """The cardholder disputes what paid this invoice; the dispute's id."""
        with self.core.store.lock:
            return str(givebacks.open_dispute(self.core, self._charge(invoice), self.core.cause("world"))["id"])

    def prevent_dispute(self, invoice: str, *, taken: bool) -> str:
        """What would have become a dispute is resolved with the cardholder's bank (the money is taken) or blocked; its id."""
        with self.core.store.lock:
            cause = self.core.cause("world")
            return str(givebacks.prevent_dispute(self.core, self._charge(invoice), cause, taken=taken)["id"])

    def close_dispute(self, dispute: str, *, won: bool) -> None:
        """The bank decides a dispute."""
        with self.core.store.lock:
            found = self.core.store.get("dispute", dispute)
            givebacks.close_dispute(self.core, found, self.core.cause("world"), won=won)

    def _charge(self, invoice: str) -> Json:
        intent = intent_of(self.core.store, invoice)
        if intent is None or intent["latest_charge"] is None:
            raise KeyError(f"{invoice} was never charged")
        return self.core.store.get("charge", intent["latest_charge"])
