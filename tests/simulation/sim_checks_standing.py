"""Judges whose care a case got: the policy's groups, recounted by hand. Without it a trial could pass for a customer of years."""

from collections.abc import Iterator
from datetime import timedelta

from sim_books import Invoice
from sim_view import Row, View

MONTH = timedelta(days=30.4375)
LARGE = {
    "usd": 50_000,
    "eur": 50_000,
    "gbp": 40_000,
    "cad": 65_000,
    "aud": 70_000,
    "jpy": 70_000,
    "brl": 250_000,
}


def standing(view: View) -> Iterator[str]:
    """Each case belongs to the shipped policy's groups, and its horizon is theirs."""
    for name, case in view.cases.items():
        invoice = view.books.invoices[name]
        groups = {group for group in case.segment.split("+") if group}
        if groups - {"large"} != _groups(invoice, case):
            yield f"{case.id} is cared for as {case.segment!r}, it should be {sorted(_groups(invoice, case))}"
        first = min(view.books.of(name), key=lambda charge: charge.at).amount
        if "large" in groups and first.minor < LARGE.get(first.currency, first.minor + 1):
            yield f"{case.id} is cared for as one of much money, it began with {first}"


def _groups(invoice: Invoice, case: Row) -> set[str]:
    """By when the subscription began, and whether this is the first invoice after its trial."""
    since, found = invoice.since, set()
    if since.interval == "year":
        found.add("annual")
    if since.subscribed_at is None:
        return found
    trial = since.trial_ended_at is not None and invoice.created_at - since.trial_ended_at <= timedelta(days=2)
    kept = case.failed_at - since.subscribed_at
    if trial:
        found.add("trial")
    else:
        found.add("new" if kept < 3 * MONTH else "settling" if kept < 12 * MONTH else "loyal")
    return found
