"""Invoices by month and how many of them failed. Without them nobody could say what share of the revenue is at risk."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, text

from recovery.money import Money
from recovery.storage.report_queries import whole_minor
from recovery.storage.report_sums import Span


class Billed(StrEnum):
    """The invoices behind a figure."""

    ALL = "all"
    FAILED = "failed"
    UNPAID = "unpaid"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One invoice behind a figure; ``state`` is the gateway's word at the last import."""

    id: str
    customer: str
    subscription: str | None
    amount: Money
    state: str
    created_at: datetime
    case_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSum:
    """The invoices of one month and currency, without those that were voided or began a subscription.

    ``failed`` are those with a case, ``watched`` those made since there are cases, ``unpaid`` those not paid at the last import.
    """

    month: str
    currency: str
    invoices: int
    failed_invoices: int
    unpaid_invoices: int
    watched_invoices: int
    billed_minor: int
    failed_minor: int
    unpaid_minor: int
    watched_minor: int


_ASKED: Final = "i.created_at >= :start AND i.created_at < :end AND i.state <> 'void' AND NOT i.first"
_INVOICES: Final = f"""
SELECT to_char(date_trunc('month', i.created_at, :zone) AT TIME ZONE :zone, 'YYYY-MM') AS month, i.currency,
    count(*) AS invoices, count(c.id) AS failed_invoices, count(*) FILTER (WHERE i.state <> 'paid') AS unpaid_invoices,
    count(*) FILTER (WHERE i.created_at >= f.at) AS watched_invoices,
    sum(i.amount_minor) AS billed_minor, coalesce(sum(i.amount_minor) FILTER (WHERE c.id IS NOT NULL), 0) AS failed_minor,
    coalesce(sum(i.amount_minor) FILTER (WHERE i.state <> 'paid'), 0) AS unpaid_minor,
    coalesce(sum(i.amount_minor) FILTER (WHERE i.created_at >= f.at), 0) AS watched_minor
FROM past_invoices i CROSS JOIN (SELECT min(failed_at) AS at FROM cases) x
CROSS JOIN LATERAL (SELECT least(x.at, min(p.created_at)) AS at FROM cases o JOIN past_invoices p ON p.id = o.obligation
    WHERE o.failed_at = x.at) f
LEFT JOIN cases c ON c.obligation = i.id
WHERE {_ASKED}
GROUP BY date_trunc('month', i.created_at, :zone), i.currency ORDER BY i.currency, 1"""  # noqa: S608 - our own words
"""Failures are watched since the first case: the invoice that opened it, and all made since."""

_LINES: Final = f"""
SELECT i.id, i.customer, i.subscription, i.amount_minor, i.currency, i.state, i.created_at, c.id AS case_id
FROM past_invoices i LEFT JOIN cases c ON c.obligation = i.id
WHERE {_ASKED} AND i.currency = :currency
    AND CASE :which WHEN 'failed' THEN c.id IS NOT NULL WHEN 'unpaid' THEN i.state <> 'paid' ELSE true END
ORDER BY i.created_at DESC, i.id DESC LIMIT :limit OFFSET :offset"""  # noqa: S608


def invoice_sums(tx: Connection, span: Span) -> list[InvoiceSum]:
    """The months of a span, from the imported invoices; none where nothing was imported."""
    given = {"start": span.start, "end": span.end, "zone": span.zone}
    return [InvoiceSum(**whole_minor(row)) for row in tx.execute(text(_INVOICES), given).mappings()]


def invoice_lines(
    tx: Connection, span: Span, which: Billed, *, currency: str, limit: int, offset: int
) -> list[InvoiceLine]:
    """The invoices behind a figure, newest first."""
    given = {
        "start": span.start,
        "end": span.end,
        "which": which.value,
        "currency": currency,
        "limit": limit,
        "offset": offset,
    }
    return [
        InvoiceLine(
            id=row.id,
            customer=row.customer,
            subscription=row.subscription,
            amount=Money(minor=row.amount_minor, currency=row.currency),
            state=row.state,
            created_at=row.created_at,
            case_id=row.case_id,
        )
        for row in tx.execute(text(_LINES), given)
    ]
