"""The published table of endpoints: what the sandbox speaks, as data.

Without a table used for routing and validation alike, documentation and behaviour would drift, and a parameter
the sandbox ignores would look supported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recovery.simulation.sandbox.paging import CREATED_PARAMS, PAGE_PARAMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method and path; `:id` stands for an object id. `name` is the handler's."""

    method: str
    path: str
    name: str
    summary: str
    params: frozenset[str] = frozenset()

    @property
    def parts(self) -> tuple[str, ...]:
        """The path's segments."""
        return tuple(self.path.strip("/").split("/"))


_EXPAND = frozenset({"expand[]"})
_META = frozenset({"metadata[*]"})
_BILLED_TO = tuple(f"billing_details[address][{name}]" for name in ("line1", "city", "postal_code", "state", "country"))
_ADDRESS = frozenset(f"address[{part}]" for part in ("city", "country", "line1", "line2", "postal_code", "state"))
_CUSTOMER = (
    frozenset({"name", "email", "phone", "description", "preferred_locales[]", "payment_method"})
    | frozenset({"invoice_settings[default_payment_method]"})
    | _ADDRESS
    | _META
)
_LISTED = PAGE_PARAMS | CREATED_PARAMS


def _get(path: str, name: str, summary: str, params: Iterable[str] = ()) -> Endpoint:
    return Endpoint(method="GET", path=path, name=name, summary=summary, params=_EXPAND | set(params))


def _list(path: str, name: str, summary: str, params: Iterable[str] = ()) -> Endpoint:
    return Endpoint(method="GET", path=path, name=name, summary=summary, params=_LISTED | set(params))


def _post(path: str, name: str, summary: str, params: Iterable[str] = ()) -> Endpoint:
    return Endpoint(method="POST", path=path, name=name, summary=summary, params=_EXPAND | set(params))


ENDPOINTS: tuple[Endpoint, ...] = (
    _get("/v1/account", "account.retrieve", "the account behind the key"),
    _post("/v1/customers", "customers.create", "create a customer", _CUSTOMER),
    _get("/v1/customers/:id", "customers.retrieve", "read a customer"),
    _post("/v1/customers/:id", "customers.update", "change a customer", _CUSTOMER - {"payment_method"}),
    _list("/v1/customers", "customers.list", "list customers", ["email"]),
    _list("/v1/customers/:id/payment_methods", "customers.payment_methods", "a customer's methods", ["type"]),
    _get("/v1/customers/:id/payment_methods/:id", "customers.payment_method", "one method of a customer"),
    _post(
        "/v1/payment_methods",
        "payment_methods.create",
        "create a card by its test token (`card[token]=tok_visa` or a test name)",
        ["type", "card[token]", "billing_details[name]", "billing_details[email]", *_META],
    ),
    _get("/v1/payment_methods/:id", "payment_methods.retrieve", "read a payment method"),
    _post(
        "/v1/payment_methods/:id",
        "payment_methods.update",
        "change expiry or billing details",
        ["card[exp_month]", "card[exp_year]", "billing_details[name]", "billing_details[email]", *_BILLED_TO, *_META],
    ),
    _list("/v1/payment_methods", "payment_methods.list", "list a customer's methods", ["customer", "type"]),
    _post("/v1/payment_methods/:id/attach", "payment_methods.attach", "attach to a customer", ["customer"]),
    _post("/v1/payment_methods/:id/detach", "payment_methods.detach", "detach from its customer"),
    _post(
        "/v1/subscriptions",
        "subscriptions.create",
        "create a subscription with one inline price; its first invoice counts as paid",
        [
            "customer",
            "default_payment_method",
            "currency",
            "items[][quantity]",
            "items[][price_data][currency]",
            "items[][price_data][product]",
            "items[][price_data][unit_amount]",
            "items[][price_data][recurring][interval]",
            *_META,
        ],
    ),
    _get("/v1/subscriptions/:id", "subscriptions.retrieve", "read a subscription"),
    _post(
        "/v1/subscriptions/:id",
        "subscriptions.update",
        "change its payment method or end it with the period",
        ["default_payment_method", "cancel_at_period_end", *_META],
    ),
    Endpoint(
        method="DELETE",
        path="/v1/subscriptions/:id",
        name="subscriptions.cancel",
        summary="cancel at once",
        params=_EXPAND | {"cancellation_details[comment]", "cancellation_details[feedback]"},
    ),
    _list(
        "/v1/subscriptions",
        "subscriptions.list",
        "list subscriptions; cancelled ones only when asked for",
        ["customer", "status"],
    ),
    _post(
        "/v1/invoices",
        "invoices.create",
        "create a draft",
        ["customer", "subscription", "currency", "auto_advance", "collection_method", "description", *_META],
    ),
    _get("/v1/invoices/:id", "invoices.retrieve", "read an invoice"),
    _post(
        "/v1/invoices/:id",
        "invoices.update",
        "switch automatic collection, method or metadata",
        ["auto_advance", "default_payment_method", "description", *_META],
    ),
    _list(
        "/v1/invoices", "invoices.list", "list invoices", ["customer", "status", "subscription", "collection_method"]
    ),
    _post("/v1/invoices/:id/finalize", "invoices.finalize", "finalize a draft", ["auto_advance"]),
    _post(
        "/v1/invoices/:id/pay",
        "invoices.pay",
        "try to collect an open invoice",
        ["payment_method", "off_session", "paid_out_of_band"],
    ),
    _post("/v1/invoices/:id/void", "invoices.void", "void an open invoice"),
    _post("/v1/invoices/:id/mark_uncollectible", "invoices.mark_uncollectible", "write an invoice off"),
    _post(
        "/v1/invoiceitems",
        "invoiceitems.create",
        "add an amount to a draft invoice",
        ["customer", "invoice", "amount", "currency", "description"],
    ),
    _list(
        "/v1/invoice_payments",
        "invoice_payments.list",
        "which payment pays which invoice",
        ["invoice", "status", "payment[type]", "payment[payment_intent]"],
    ),
    _get("/v1/invoice_payments/:id", "invoice_payments.retrieve", "read an invoice payment"),
    _get("/v1/payment_intents/:id", "payment_intents.retrieve", "read a payment intent"),
    _list("/v1/payment_intents", "payment_intents.list", "list payment intents", ["customer"]),
    _get("/v1/charges/:id", "charges.retrieve", "read a charge with its outcome"),
    _list("/v1/charges", "charges.list", "list charges", ["customer", "payment_intent"]),
    _post(
        "/v1/refunds",
        "refunds.create",
        "give money back, all of it or a part",
        ["charge", "payment_intent", "amount", "reason", *_META],
    ),
    _get("/v1/refunds/:id", "refunds.retrieve", "read a refund"),
    _list("/v1/refunds", "refunds.list", "list refunds", ["charge", "payment_intent"]),
    _get("/v1/disputes/:id", "disputes.retrieve", "read a dispute"),
    _list("/v1/disputes", "disputes.list", "list disputes", ["charge", "payment_intent"]),
    _get("/v1/balance_transactions/:id", "balance_transactions.retrieve", "read a line of the balance"),
    _list("/v1/balance_transactions", "balance_transactions.list", "list the balance", ["type", "source"]),
    _get("/v1/events/:id", "events.retrieve", "read an event"),
    _list("/v1/events", "events.list", "list events", ["type", "types[]"]),
    _post(
        "/v1/billing_portal/sessions",
        "billing_portal.sessions.create",
        "a page where the customer changes the card",
        ["customer", "return_url", "locale", "configuration", "flow_data[type]"],
    ),
)


class Routes:
    """The table, prepared for looking up a request."""

    def __init__(self, endpoints: Iterable[Endpoint] = ENDPOINTS) -> None:
        self._by_shape: dict[tuple[str, int], list[Endpoint]] = {}
        for endpoint in endpoints:
            self._by_shape.setdefault((endpoint.method, len(endpoint.parts)), []).append(endpoint)

    def find(self, method: str, path: str) -> tuple[Endpoint, tuple[str, ...]] | None:
        """The endpoint of a request and the ids in its path, or None."""
        parts = path.strip("/").split("/")
        for endpoint in self._by_shape.get((method, len(parts)), ()):
            matched = list(zip(endpoint.parts, parts, strict=True))
            if all(wanted in (":id", got) for wanted, got in matched):
                return endpoint, tuple(got for wanted, got in matched if wanted == ":id")
        return None
