"""Checks every setting and connection and says what to do. Without it a wrong key would be noticed by the missing money."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import redis
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from recovery.gateways.port import GatewayError, GatewayMisconfigured
from recovery.runtime.account import named, other_account
from recovery.runtime.clock import machine_now, system_clock
from recovery.runtime.config_check import folder_mistakes
from recovery.runtime.doctor_asking import customers_page, letters, mail_server, merchants_app
from recovery.runtime.finding import Finding, Health
from recovery.runtime.knowledge import ConfigInvalid
from recovery.runtime.settings import Pages, SettingsInvalid
from recovery.runtime.wiring import Wiring
from recovery.storage import migrate
from recovery.storage.aside_store import steps_set_aside
from recovery.storage.backlog_queries import backlog, orphans
from recovery.storage.event_store import event_counts, events_set_aside
from recovery.storage.flag_store import (
    BACKFILL_LEFT,
    BACKFILLED,
    CHARGING_HALTED,
    CONFIRMED,
    GATEWAY_RETRIES_SEEN,
    LETTERS_REFUSED,
    MAIL_ILL,
    UNKNOWN_CODE,
    Flag,
    raise_flag,
    read_flags,
)
from recovery.storage.message_store import undelivered
from recovery.storage.moment import Moment
from recovery.storage.overdue_store import OVERDUE_AFTER, overdue_count, overdue_steps
from recovery.storage.suppression_store import stopped_by_refusals

BACKFILL_HOURS_MAX = 2.0
"""Looked for longer ago than this, four rounds of beat have come to nothing."""

CONFIRMATIONS = {
    "retries-off": "Stripe's own retries are off (Settings, Billing, Subscriptions and emails, Manage failed payments)",
    "leave-past-due": 'when all retries fail, Stripe is set to "leave the subscription past due"',
    "stripe-emails-off": "Stripe's own emails about failed payments and expiring cards are off",
}
"""What no API can read: the operator looks at the dashboard once and confirms it by this name."""


def confirm(wiring: Wiring, name: str) -> None:
    """Record that the operator looked. Raises KeyError for a name that is not in CONFIRMATIONS."""
    detail = CONFIRMATIONS[name]
    with wiring.database.begin() as tx:
        raise_flag(tx, CONFIRMED + name, detail, at=machine_now())


def examine(wiring: Wiring, broker_url: Callable[[], str]) -> Iterator[Finding]:
    """Look at everything, one finding after the other; never raises for what it finds."""
    yield _files(wiring)
    database = _database(wiring)
    yield database
    yield _broker(broker_url)
    yield mail_server(wiring)
    yield from _stripe(wiring, database=database.health is Health.OK)
    yield _pages(wiring)
    yield customers_page(wiring)
    if database.health is Health.OK:
        yield from _inside(wiring)


def _files(wiring: Wiring) -> Finding:
    folder = wiring.settings.config_dir
    try:
        version = wiring.rulebook.current
    except ConfigInvalid:
        version = ""
    mistakes = folder_mistakes(folder, wiring.letters, known=bool(version))
    if mistakes:
        detail = "; ".join(mistakes)
        return Finding(subject="configuration", health=Health.FAILED, detail=detail, remedy="correct the files named")
    return Finding(subject="configuration", health=Health.OK, detail=f"{folder}, policy {version}")


SHOWN_MAX = 5
"""So many of the things set aside are told with their errors; the rest are counted."""


def _database(wiring: Wiring) -> Finding:
    try:
        with wiring.database.connect() as tx:
            server = tx.execute(text("SHOW server_version")).scalar_one()
        found, missing = migrate.current(wiring.database), migrate.too_old(wiring.database)
    except SQLAlchemyError as error:
        kind = type(error).__name__
        remedy = "check RECOVERY_DATABASE_URL and that PostgreSQL runs"
        return Finding(subject="database", health=Health.FAILED, detail=f"not reachable ({kind})", remedy=remedy)
    if missing is not None:
        detail = f"schema {found or 'is missing'}, this version needs {migrate.head()}"
        return Finding(subject="database", health=Health.FAILED, detail=detail, remedy="run: recovery migrate")
    where = "embedded" if wiring.settings.database_url is None else "external"
    return Finding(subject="database", health=Health.OK, detail=f"PostgreSQL {server}, {where}, schema {found}")


def _broker(broker_url: Callable[[], str]) -> Finding:
    try:
        client = redis.Redis.from_url(broker_url(), socket_timeout=5, socket_connect_timeout=5)
        try:
            keeps = client.info("persistence").get("aof_enabled")
        finally:
            client.close()
    except redis.RedisError as error:
        detail = f"not reachable ({type(error).__name__}): nothing is lost, but work only waits"
        remedy = "check RECOVERY_BROKER_URL and that the server runs"
        return Finding(subject="broker", health=Health.FAILED, detail=detail, remedy=remedy)
    kept = "append-only file on" if keeps else "keeps nothing over a restart, which costs seconds only"
    return Finding(subject="broker", health=Health.OK, detail=f"reachable, {kept}")


def _stripe(wiring: Wiring, *, database: bool) -> Iterator[Finding]:
    settings = wiring.settings
    try:
        standing = wiring.gateway.standing()
    except SettingsInvalid as error:
        yield Finding(subject="Stripe key", health=Health.FAILED, detail="not set", remedy=str(error))
    except GatewayMisconfigured as error:
        remedy = "make a restricted key with the rights listed in README and set RECOVERY_STRIPE_SECRET_KEY"
        yield Finding(subject="Stripe key", health=Health.FAILED, detail=str(error), remedy=remedy)
    except GatewayError as error:
        remedy = "check the network, RECOVERY_STRIPE_API_BASE and Stripe's status page"
        yield Finding(subject="Stripe key", health=Health.FAILED, detail=str(error), remedy=remedy)
    else:
        if database and (other := other_account(wiring, standing)):
            remedy = "correct RECOVERY_STRIPE_SECRET_KEY, or name a database of its own; no worker starts until then"
            detail = f"belongs to {named(standing)}, the cases in this database to {other}"
            yield Finding(subject="account", health=Health.FAILED, detail=detail, remedy=remedy)
        mode = "live mode: real money" if standing.livemode else "test mode"
        yield Finding(
            subject="Stripe key", health=Health.OK, detail=f"{standing.account}, {mode}. {standing.detail}".strip()
        )
    secrets = [secret.get_secret_value() for secret in settings.stripe_webhook_secrets]
    if not secrets:
        remedy = "add an endpoint at /webhooks/stripe in the Stripe dashboard and set RECOVERY_STRIPE_WEBHOOK_SECRETS"
        detail = "not set: there is no webhook endpoint"
        yield Finding(subject="webhook secret", health=Health.FAILED, detail=detail, remedy=remedy)
    elif not all(secret.startswith("whsec_") for secret in secrets):
        remedy = "copy the signing secret of the endpoint (whsec_…), not the API key"
        detail = "does not look like a signing secret"
        yield Finding(subject="webhook secret", health=Health.WARNING, detail=detail, remedy=remedy)
    else:
        yield Finding(subject="webhook secret", health=Health.OK, detail=f"{len(secrets)} in use")


def _pages(wiring: Wiring) -> Finding:
    settings = wiring.settings
    if settings.pages is Pages.PASSWORD and settings.pages_password is None:
        remedy = "set RECOVERY_PAGES_PASSWORD, or RECOVERY_PAGES=off"
        return Finding(subject="pages", health=Health.FAILED, detail="no password is set", remedy=remedy)
    if settings.pages is Pages.OPEN:
        remedy = "set RECOVERY_PAGES=password and RECOVERY_PAGES_PASSWORD unless only you can reach the port"
        return Finding(subject="pages", health=Health.WARNING, detail="open to whoever reaches the port", remedy=remedy)
    return Finding(subject="pages", health=Health.OK, detail=settings.pages.value)


def _inside(wiring: Wiring) -> Iterator[Finding]:
    """What the database knows: flags, things set aside, and the operator's confirmations."""
    with wiring.database.connect() as tx:
        flags = {flag.name: flag for flag in read_flags(tx)}
        events = event_counts(tx)
        steps = backlog(tx, moment=Moment(now=system_clock.now(), machine_now=machine_now()))
        asleep = orphans(tx)
        aside = steps_set_aside(tx, limit=SHOWN_MAX)
        set_aside = events_set_aside(tx, limit=SHOWN_MAX)
        messages = undelivered(tx)
        unwritten = len(stopped_by_refusals(tx))
    yield _charging(flags.get(CHARGING_HALTED))
    yield _foreign_retries(flags.get(GATEWAY_RETRIES_SEEN), flags.get(f"{CONFIRMED}retries-off"))
    unknown = [f"{flag.detail} ({flag.times} times)" for name, flag in flags.items() if name.startswith(UNKNOWN_CODE)]
    if unknown:
        remedy = "add them to declines.toml, codes of a network to its file; until then they say nothing"
        yield Finding(subject="decline codes", health=Health.WARNING, detail=", ".join(unknown), remedy=remedy)
    if events["set_aside"]:
        listed = "; ".join(f"{event.id} {event.kind}: {event.detail}" for event in set_aside)
        remedy = "mend the cause, then run: recovery events replay"
        detail = f"{events['set_aside']} set aside: {listed}"
        yield Finding(subject="events", health=Health.FAILED, detail=detail, remedy=remedy)
    else:
        yield Finding(subject="events", health=Health.OK, detail=f"{events['waiting']} waiting, none set aside")
    if aside:
        listed = "; ".join(f"{one.kind} of {one.case_id}: {one.error}" for one in aside)
        remedy = "mend the cause, then run: recovery steps replay"
        detail = f"{steps.set_aside} set aside: {listed}"
        yield Finding(subject="steps set aside", health=Health.FAILED, detail=detail, remedy=remedy)
    if steps.failing or asleep:
        detail = f"{steps.failing} failing, {asleep} open cases without a wake-up"
        yield Finding(
            subject="steps", health=Health.FAILED, detail=detail, remedy="read the errors in the worker's log"
        )
    else:
        yield Finding(
            subject="steps", health=Health.OK, detail=f"{steps.due} due, {steps.in_flight} in flight, none failing"
        )
    yield from _overdue(wiring)
    yield letters(flags.get(LETTERS_REFUSED), flags.get(MAIL_ILL), unwritten)
    yield merchants_app(wiring, messages)
    yield _backfilled(flags.get(BACKFILLED), flags.get(BACKFILL_LEFT), system_clock.now())
    for name, question in CONFIRMATIONS.items():
        flag = flags.get(CONFIRMED + name)
        if flag is None:
            remedy = f"look in the Stripe dashboard, then run: recovery doctor --confirm {name}"
            yield Finding(subject=name, health=Health.WARNING, detail=f"not confirmed: {question}", remedy=remedy)
        else:
            yield Finding(subject=name, health=Health.OK, detail=f"confirmed {flag.seen_at:%Y-%m-%d}: {question}")


def _overdue(wiring: Wiring) -> Iterator[Finding]:
    moment = Moment(now=system_clock.now(), machine_now=machine_now())
    with wiring.database.connect() as tx:
        count = overdue_count(tx, moment=moment)
        late = overdue_steps(tx, moment=moment, limit=SHOWN_MAX)
    if count:
        listed = "; ".join(
            f"{one.kind} of {one.case_id} since {one.due_at:%d %b %H:%M} UTC: {one.detail}" for one in late
        )
        detail = f"{count} due for more than {OVERDUE_AFTER // timedelta(hours=1)} hours: {listed}"
        remedy = "mend what the reason names; what nobody took up needs a running worker"
        yield Finding(subject="steps overdue", health=Health.WARNING, detail=detail, remedy=remedy)


def _charging(halted: Flag | None) -> Finding:
    if halted is None:
        return Finding(subject="charging", health=Health.OK, detail="not halted")
    detail = f"halted since {halted.since:%Y-%m-%d %H:%M} UTC: {halted.detail}"
    return Finding(
        subject="charging",
        health=Health.FAILED,
        detail=detail,
        remedy="correct the key, then run: recovery charging resume",
    )


def _backfilled(last: Flag | None, left: Flag | None, now: datetime) -> Finding:
    subject = "missed webhooks"
    if last is None:
        detail = "not looked for yet; a worker does so every half hour while beat runs, or: recovery backfill"
        return Finding(subject=subject, health=Health.OK, detail=detail)
    detail = f"looked for until {last.seen_at:%Y-%m-%d %H:%M} UTC"
    if now - last.seen_at > timedelta(hours=BACKFILL_HOURS_MAX):
        remedy = "see that beat and a worker run, then what recovery backfill says"
        return Finding(subject=subject, health=Health.WARNING, detail=f"last {detail}", remedy=remedy)
    if left is not None and left.detail != "0":
        why = "too old or not read this time (recovery backfill --invoice in_… opens one)"
        detail += f"; {left.detail} open invoices without a case left alone, {why}"
    return Finding(subject=subject, health=Health.OK, detail=detail)


def _foreign_retries(seen: Flag | None, looked: Flag | None) -> Finding:
    """A sign from before somebody looked says nothing any more, such as those on the lists of a new installation."""
    if seen is not None and looked is not None and seen.seen_at <= looked.seen_at:
        detail = f"last seen {seen.seen_at:%Y-%m-%d}, none since {looked.seen_at:%Y-%m-%d}, when they were confirmed to be off"
        return Finding(subject="Stripe's retries", health=Health.OK, detail=detail)
    if seen is None:
        return Finding(subject="Stripe's retries", health=Health.OK, detail="no sign that they are on")
    detail = f"seen {seen.times} times, last {seen.seen_at:%Y-%m-%d}: {seen.detail}"
    remedy = (
        "turn them off, for two engines would share one card's budget; then run: recovery doctor --confirm retries-off"
    )
    return Finding(subject="Stripe's retries", health=Health.WARNING, detail=detail, remedy=remedy)
