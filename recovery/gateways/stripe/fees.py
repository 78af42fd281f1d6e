"""What Stripe kept, from the lines of its balance. Without it net revenue would be a guess from a price list."""

from recovery.gateways.port import Fee
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.charges import money
from recovery.gateways.stripe.fields import Json, ident, instant, mapping, text, whole


def read_fee(calls: Calls, charge: str) -> Fee | None:
    """The fee of one charge; None while Stripe shows no balance transaction for it."""
    found = calls.read(calls.to("charges", charge), {"expand": ["balance_transaction"]})
    return fee_of(mapping(found, "balance_transaction"), charge=charge)


def fee_of(line: Json | None, *, charge: str) -> Fee | None:
    """The fee on one balance transaction, zero included; None where there is no readable one."""
    name, currency, at = ident(line), text(line, "currency"), instant(line, "created")
    if name is None or currency is None or at is None:
        return None
    amount = money(whole(line, "fee"), currency, otherwise=currency.lower())
    return Fee(id=name, charge_id=charge, amount=amount, occurred_at=at)
