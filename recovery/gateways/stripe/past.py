"""Past invoices and charges as Stripe lists them, page by page, newest first. Without pages no import could go on where it stopped."""

from datetime import datetime
from typing import Any, Final

from recovery.cases.obligation import ChargeStatus
from recovery.cases.past import PastCharge, PastInvoice
from recovery.gateways.seen import ChargesPage, InvoicesPage
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.charges import charge_of, money
from recovery.gateways.stripe.fields import Json, ident, instant, text, whole
from recovery.gateways.stripe.invoices import subscription_of

_UNKNOWN: Final = "xxx"


def charges_page(calls: Calls, *, since: datetime, behind: str | None) -> ChargesPage:
    """One page of the charges made since an instant, whatever became of them."""
    with calls.within():
        found, last = calls.page(calls.client.v1.charges.list, _made(since), behind=behind)
    seen = (past_charge(row) for row in found)
    return ChargesPage(charges=tuple(one for one in seen if one is not None), last=last)


def invoices_page(calls: Calls, *, since: datetime, behind: str | None) -> InvoicesPage:
    """One page of the invoices made since an instant that are charged automatically and ask for something."""
    params = {**_made(since), "collection_method": "charge_automatically"}
    with calls.within():
        found, last = calls.page(calls.client.v1.invoices.list, params, behind=behind)
    seen = (past_invoice(row) for row in found)
    return InvoicesPage(invoices=tuple(one for one in seen if one is not None), last=last)


def past_charge(row: Json) -> PastCharge | None:
    """One charge; None without an instant."""
    at = instant(row, "created")
    if at is None or ident(row) is None:
        return None
    charge = charge_of(row, currency=(text(row, "currency") or _UNKNOWN).lower(), created_at=at)
    return PastCharge(
        id=charge.id,
        customer=ident(row, "customer"),
        amount=charge.amount,
        created_at=at,
        card=charge.card,
        succeeded=None if charge.status is ChargeStatus.PENDING else charge.status is ChargeStatus.SUCCEEDED,
        reached_network=charge.signals is None or charge.signals.reached_network,
    )


def past_invoice(row: Json) -> PastInvoice | None:
    """One invoice, one that was taken back included: it may have been read before that. None where it asks nobody for anything."""
    name, customer, at = ident(row), ident(row, "customer"), instant(row, "created")
    asked, state = whole(row, "amount_due") or 0, text(row, "status")
    if name is None or customer is None or at is None or state in (None, "draft") or asked <= 0:
        return None
    return PastInvoice(
        id=name,
        customer=customer,
        subscription=subscription_of(row),
        amount=money(asked, text(row, "currency"), otherwise=_UNKNOWN),
        created_at=at,
        state=str(state),
        first=text(row, "billing_reason") == "subscription_create",
    )


def _made(since: datetime) -> dict[str, Any]:
    return {"created": {"gte": int(since.timestamp())}}
