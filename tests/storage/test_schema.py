"""The database itself refuses what must never be, whatever the code believes."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from building import Life, wired
from sqlalchemy import Connection, Engine, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from recovery.cases import facts
from recovery.runtime.clock import machine_now
from recovery.storage import mail_tables, migrate, tables
from recovery.storage.report_tables import case_figures
from recovery.storage.subscription_tables import imports
from recovery.storage.user_tables import users


@pytest.fixture
def database(life: Life) -> Engine:
    return life.wiring.database


def test_migrations_lead_to_exactly_the_tables(database: Engine) -> None:
    assert case_figures.metadata is users.metadata is imports.metadata is tables.metadata, (
        "the others' tables are among them"
    )
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []
    assert migrate.current(database) == migrate.head()


def test_migrating_twice_changes_nothing(database: Engine, database_url: str) -> None:
    assert migrate.upgrade(database_url) == migrate.head()


def test_who_unsubscribed_before_customers_were_remembered_is_remembered(life: Life, database: Engine) -> None:
    told = {
        "in_1": "the customer unsubscribed",
        "in_2": "the customer complained about our email",
        "in_3": "the address bounced",
    }
    for invoice, why in told.items():
        life.tell(life.fail(invoice), facts.MailStopped(why=why))
    migration = import_module("recovery.storage.migrations.versions.0020_objections")
    with database.begin() as tx:
        tx.execute(text(migration._FROM_THE_JOURNAL))
        found = tx.execute(select(mail_tables.mail_objections).order_by(text("customer"))).all()
    assert [row[:4] for row in found] == [
        ("cus_in_1", "unsubscribed", life.at, False),
        ("cus_in_2", "complained", life.at, False),
    ]


def test_open_cases_from_before_know_the_brands_that_their_rows_tell(life: Life, database: Engine) -> None:
    life.fail("in_1")
    migration = import_module("recovery.storage.migrations.versions.0023_brands_seen")
    with database.begin() as tx:
        seen = text("SELECT brands_seen FROM cases")
        before = tx.execute(seen).scalar_one()
        tx.execute(text("UPDATE cases SET brands_seen = '[]'"))
        tx.execute(text(migration._FROM_THE_ROWS))
        assert tx.execute(seen).scalar_one() == before
    assert [card["brand"] for card in before] == ["visa"]


def test_a_migration_gives_up_rather_than_queue_before_payments(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    with wired(empty_database_url) as wiring, wiring.database.begin() as holder:
        holder.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            migrate.upgrade(empty_database_url)


def _row(tx: Connection, table: Any, **where: Any) -> dict[str, Any]:
    query = select(table)
    for name, value in where.items():
        query = query.where(table.c[name] == value)
    return dict(tx.execute(query).mappings().first() or {})


def _copy(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"} | changes


def test_an_obligation_has_one_case(life: Life, database: Engine) -> None:
    case_id = life.fail("in_1")
    with pytest.raises(DBAPIError, match="uq_cases_gateway_obligation"), database.begin() as tx:
        tx.execute(insert(tables.cases).values(_copy(_row(tx, tables.cases, id=case_id), id="case_again")))


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"state": "paused"}, "state_known"),
        ({"state": "recovered"}, "ended"),
        ({"source": "luck"}, "source_known"),
        ({"amount_minor": -1}, "amount"),
        ({"currency": "USD"}, "currency"),
        ({"policy": "none"}, "fk_cases_policy"),
    ],
)
def test_a_case_cannot_be_what_no_case_is(
    life: Life, database: Engine, change: dict[str, Any], constraint: str
) -> None:
    case_id = life.fail("in_1")
    with pytest.raises(DBAPIError, match=constraint), database.begin() as tx:
        tx.execute(update(tables.cases).where(tables.cases.c.id == case_id).values(change))


def test_an_open_case_has_a_wake_up(life: Life, database: Engine) -> None:
    case_id = life.fail("in_1")
    with pytest.raises(DBAPIError, match="no wake-up"), database.begin() as tx:
        tx.execute(update(tables.steps).where(tables.steps.c.case_id == case_id).values(state="cancelled"))
    with database.begin() as tx:  # the rule looks at the end of a transaction, not in between
        tx.execute(update(tables.steps).where(tables.steps.c.case_id == case_id).values(state="cancelled"))
        row = {"case_id": case_id, "kind": "escalate", "state": "planned", "due_at": machine_now()}
        tx.execute(insert(tables.steps).values(row))


def test_a_case_has_one_open_step_of_a_kind(life: Life, database: Engine) -> None:
    case_id = life.fail("in_1")
    with pytest.raises(DBAPIError, match="uq_steps_one_open_of_a_kind"), database.begin() as tx:
        tx.execute(insert(tables.steps).values(_copy(_row(tx, tables.steps, case_id=case_id))))


def test_a_step_in_flight_has_a_lease(life: Life, database: Engine) -> None:
    case_id = life.fail("in_1")
    with pytest.raises(DBAPIError, match="lease"), database.begin() as tx:
        tx.execute(update(tables.steps).where(tables.steps.c.case_id == case_id).values(state="in_flight"))


@pytest.fixture
def tried(life: Life) -> str:
    case_id = life.fail("in_1")
    life.attempt(case_id, life.declined())
    return case_id


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"id": "a-2", "number": 1}, "uq_attempts_case_id_number"),
        ({"number": 2}, "pk_attempts"),
        ({"id": "a-2", "number": 2, "status": "maybe"}, "status_known"),
        ({"id": "a-2", "number": 2, "amount_minor": 0, "charge_id": None}, "amount"),
        ({"id": "a-2", "number": 2}, "uq_attempts_charge_id"),
    ],
)
def test_attempts_have_their_own_numbers_keys_and_charges(
    database: Engine, tried: str, changes: dict[str, Any], constraint: str
) -> None:
    with database.connect() as tx:
        row = _row(tx, tables.attempts, case_id=tried)
    with pytest.raises(DBAPIError, match=constraint), database.begin() as tx:
        tx.execute(insert(tables.attempts).values(row | changes))


@pytest.mark.parametrize("status", ["in_flight", "unknown", "processing"])
def test_a_case_has_one_open_attempt(database: Engine, tried: str, status: str) -> None:
    with database.connect() as tx:
        row = _row(tx, tables.attempts, case_id=tried) | {"charge_id": None, "status": status}
    two = [row | {"id": f"a-{number}", "number": number} for number in (2, 3)]
    with pytest.raises(DBAPIError, match="uq_attempts_one_open"), database.begin() as tx:
        tx.execute(insert(tables.attempts), two)


def _email(tx: Connection, case_id: str, **changes: Any) -> dict[str, Any]:
    used_up = _row(tx, tables.exhaustions, case_id=case_id)
    step = _row(tx, tables.steps, case_id=case_id)
    mail = {
        "id": f"{case_id}-mail-1",
        "case_id": case_id,
        "step_id": step["id"],
        "exhaustion_id": used_up.get("id", 1),
        "exhausted_at": used_up.get("at", machine_now()),
        "number": 1,
        "status": "sending",
        "begun_at": used_up.get("at", machine_now()),
    }
    return mail | changes


def test_no_email_without_exhaustion(life: Life, database: Engine) -> None:
    case_id = life.fail("in_1")
    with pytest.raises(DBAPIError, match="fk_emails_exhaustion"), database.begin() as tx:
        tx.execute(insert(mail_tables.emails).values(_email(tx, case_id)))


@pytest.fixture
def exhausted(life: Life) -> str:
    case_id = life.fail("in_1", code="authentication_required")
    life.refresh(case_id)
    return case_id


def test_no_email_before_or_by_another_cases_exhaustion(life: Life, database: Engine, exhausted: str) -> None:
    with database.connect() as tx:
        mail = _email(tx, exhausted)
    early = mail | {"begun_at": mail["exhausted_at"] - timedelta(seconds=1)}
    backdated = mail | {"exhausted_at": mail["exhausted_at"] - timedelta(days=1)}
    stranger = life.fail("in_2")
    for wrong, constraint in (
        (early, "only_after_exhaustion"),
        (backdated, "fk_emails_exhaustion"),
        (mail | {"case_id": stranger}, "fk_emails_exhaustion"),
    ):
        with pytest.raises(DBAPIError, match=constraint), database.begin() as tx:
            tx.execute(insert(mail_tables.emails).values(wrong))


def test_each_letter_may_have_gone_once(database: Engine, exhausted: str) -> None:
    with database.begin() as tx:
        tx.execute(insert(mail_tables.emails).values(_email(tx, exhausted, status="ambiguous")))
    with pytest.raises(DBAPIError, match="uq_emails_letter_that_may_have_gone"), database.begin() as tx:
        tx.execute(insert(mail_tables.emails).values(_email(tx, exhausted, id="again", number=2)))


@pytest.mark.parametrize("name", ["ledger", "journal", "exhaustions"])
def test_what_was_booked_stays_booked(database: Engine, exhausted: str, name: str) -> None:
    table = tables.metadata.tables[name]
    with pytest.raises(DBAPIError, match=f"{name} is append-only"), database.begin() as tx:
        tx.execute(update(table).values(case_id=exhausted))
    with pytest.raises(DBAPIError, match=f"{name} is append-only"), database.begin() as tx:
        tx.execute(delete(table))


def test_an_entry_is_booked_once(life: Life, database: Engine) -> None:
    life.fail("in_1")
    with pytest.raises(DBAPIError, match="uq_ledger_case_id_kind_ref"), database.begin() as tx:
        tx.execute(insert(tables.ledger).values(_copy(_row(tx, tables.ledger))))
