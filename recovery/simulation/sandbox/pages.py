"""The hosted invoice page and the portal's card page, as plain HTML.

Without pages behind the links in an email, a browser test of the customer's way out would end at a dead link.
"""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json, Refused
from recovery.simulation.sandbox.hosted import customer_cause, pay_as_customer, save_card_as_customer, typed_card

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<body style="font-family:sans-serif;max-width:32em;margin:3em auto"><h1>{title}</h1>{body}</body></html>"""
_FORM = """<form method="post"><label>Card <input name="card" value="{card}"></label>
<button type="submit">{button}</button></form>"""


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.format(title=escape(title), body=body), status_code=status)


async def _form(request: Request) -> dict[str, str]:
    return {key: values[-1] for key, values in parse_qs((await request.body()).decode()).items()}


def _invoice_text(invoice: Json) -> str:
    amount = f"{invoice['amount_remaining']} {escape(invoice['currency'])} (minor units)"
    return f"<p>Invoice {escape(str(invoice['number']))}: {escape(invoice['status'])}, {amount} to pay.</p>"


async def invoice_page(core: Core, request: Request) -> Response:
    """GET shows the invoice and changes nothing; POST pays it as the customer with the card given or on file."""
    form = await _form(request) if request.method == "POST" else {}
    with core.store.lock:
        invoice = core.store.find("invoice", request.path_params["id"])
        if invoice is None:
            return _page("No such invoice", "", 404)
        if request.method == "POST":
            refused = _pay(core, invoice, form.get("card", ""))
            if refused is not None:
                return _page("Payment failed", f"<p>{escape(str(refused))}</p>", refused.status)
            return _page("Thank you", _invoice_text(invoice))
        form_html = _FORM.format(card="", button="Pay") if invoice["status"] == "open" else ""
        return _page("Invoice", _invoice_text(invoice) + form_html)


def _pay(core: Core, invoice: Json, card: str) -> Refused | None:
    cause = customer_cause(core)
    try:
        method = typed_card(core, invoice["customer"], card, cause)["id"] if card else None
    except Refused as refused:
        return refused
    return pay_as_customer(core, invoice["id"], method=method, cause=cause)


async def portal_page(core: Core, request: Request) -> Response:
    """GET shows the card form; POST saves the card as the customer's default and returns to the merchant."""
    form = await _form(request) if request.method == "POST" else {}
    with core.store.lock:
        session = core.store.find("billing_portal.session", request.path_params["id"])
        if session is None:
            return _page("This link has expired", "", 404)
        if request.method == "GET":
            return _page("Change your card", _FORM.format(card="pm_card_visa", button="Save"))
        cause = customer_cause(core)
        try:
            method = typed_card(core, session["customer"], form.get("card", ""), cause)
        except Refused as refused:
            return _page("Card refused", f"<p>{escape(str(refused))}</p>", refused.status)
        save_card_as_customer(core, session["customer"], method["id"], cause)
        if session["return_url"]:
            return RedirectResponse(session["return_url"], status_code=303)
        return _page("Saved", "<p>Your card was changed.</p>")
