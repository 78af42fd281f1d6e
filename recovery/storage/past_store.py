"""Imported invoices and charges, as rows. Reading one again replaces it, so that an import may be repeated at any time."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.cases.past import PastCharge, PastInvoice
from recovery.storage.forgetting import unless_forgotten
from recovery.storage.past_tables import past_charges, past_invoices


def save_invoices(tx: Connection, seen: Collection[PastInvoice]) -> None:
    """Keep invoices as they were read."""
    rows = {
        one.id: {
            "id": one.id,
            "customer": one.customer,
            "subscription": one.subscription,
            "currency": one.amount.currency,
            "amount_minor": one.amount.minor,
            "state": one.state,
            "first": one.first,
            "created_at": one.created_at,
        }
        for one in seen
    }
    _save(tx, past_invoices, "id", list(rows.values()))


def save_charges(tx: Connection, seen: Collection[PastCharge]) -> None:
    """Keep charges as they were read, under the budget of the card that they were made on."""
    rows = {
        one.id: {
            "charge_id": one.id,
            "customer": one.customer,
            "budget_key": one.card.budget_key if one.card else None,
            "amount_minor": one.amount.minor,
            "currency": one.amount.currency,
            "at": one.created_at,
            "succeeded": one.succeeded,
            "counts": one.reached_network,
        }
        for one in seen
    }
    _save(tx, past_charges, "charge_id", list(rows.values()))


def _save(tx: Connection, table: Table, key: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    statement = pg_insert(table)
    read = statement.excluded
    new: dict[str, Any] = {column.name: read[column.name] for column in table.columns if column.name != key}
    new |= unless_forgotten(table, read)
    tx.execute(statement.on_conflict_do_update(index_elements=[key], set_=new), rows)
