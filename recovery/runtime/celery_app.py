"""Celery as a doorbell: a message means "there is work of this kind", never "do this".

Due times are rows, so a lost message costs seconds and a doubled one nothing. No ETAs, no countdowns, no task.retry, no results.
"""

import time
from collections.abc import Callable, Collection
from contextlib import nullcontext
from enum import StrEnum
from typing import Any

import structlog
from celery import Celery
from celery.apps.worker import Worker
from celery.beat import ScheduleEntry, Scheduler
from celery.signals import setup_logging, worker_init, worker_process_init, worker_process_shutdown
from kombu.exceptions import OperationalError as BrokerAway
from kombu.messaging import Producer
from sqlalchemy.exc import SQLAlchemyError

from recovery.cases.lifecycle import LETTERS, StepKind
from recovery.gateways.port import GatewayError
from recovery.runtime.account import AccountKept
from recovery.runtime.alone import Alone
from recovery.runtime.knowledge import Knowledge
from recovery.runtime.logging import set_up_logging
from recovery.runtime.settings import Settings, SettingsInvalid
from recovery.runtime.wiring import Wiring

log = structlog.get_logger(__name__)


class Bell(StrEnum):
    """The kinds of work there are, each one task."""

    EVENTS = "recovery.events"
    STEPS = "recovery.steps"
    LETTERS = "recovery.letters"
    SWEEP = "recovery.sweep"
    MERCHANT = "recovery.merchant"
    BOOKS = "recovery.books"
    BACKFILL = "recovery.backfill"
    RENEWALS = "recovery.renewals"


QUEUE = "recovery"
"""One direct queue. A topic exchange would drop messages silently after the broker lost its bindings."""

DRAIN_SECONDS = 30.0
"""A task works on while there is work, but gives its process back after this long; the next ring goes on."""

HARD_LIMIT_SECONDS = 900
"""Longer than the longest lease of a batch: whoever is killed here has lost its leases already."""

BOOKS_SECONDS = 30.0
"""How often missing fees are asked for: nothing waits for them but the report."""

SWEEP_SECONDS = 10.0
"""How often lapsed leases are looked for: the work of a dead worker lies idle for at most this much longer than its lease."""

BACKFILL_SECONDS = 1800.0
"""How often the gateway's lists are read for what never arrived: a few calls each time, and half an hour is little against days."""

ALONE = {Bell.LETTERS: 0, Bell.MERCHANT: 1, Bell.BACKFILL: 2, Bell.BOOKS: 3, Bell.RENEWALS: 3}
"""The places of those that nothing waits for: a mail server that hangs, or a slow gateway that is read at length, holds one process of
the pool, never two. For each place the pool has one process more, so that charges always have all of theirs.
"""

WITHOUT_GATEWAY = (Bell.SWEEP, Bell.MERCHANT)
"""What goes on whoever the gateway's key belongs to."""

POOL_MAX = 6
"""Connections that a pool process keeps; twice as many under load. A thread needs one only between its calls to the gateway."""

RENEWALS_SECONDS = 60.0
"""How often the day's round over renewals goes on; how much it reads each time is LookAhead's own limit."""

RINGS_MAX = 1000
"""So many rings of one priority may wait, then no more are made: minutes of all bells, and a second's work for a worker that comes
back. The two lines are counted apart, or a flood of webhooks would silence beat."""

COURTESY = 9
"""The priority of rings that only save seconds, on a scale from 0: they are heard when no others wait. A flood of webhooks brings tens
a second, and each may hold a process for DRAIN_SECONDS: in one line with beat's they would keep sweep and charges waiting for hours.
"""

RHYTHMS = {
    Bell.SWEEP: SWEEP_SECONDS,
    Bell.BOOKS: BOOKS_SECONDS,
    Bell.BACKFILL: BACKFILL_SECONDS,
    Bell.RENEWALS: RENEWALS_SECONDS,
}
"""The bells that ring more seldom than the others."""


def make_app(broker_url: str, *, ring_seconds: float) -> Celery:
    """The Celery application with the settings that were found to lose nothing and repeat nothing."""
    app = Celery("recovery", broker=broker_url)
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_serializer="json",
        accept_content=["json"],
        task_time_limit=HARD_LIMIT_SECONDS,
        task_soft_time_limit=HARD_LIMIT_SECONDS - 60,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_soft_shutdown_timeout=30,
        worker_enable_soft_shutdown_on_idle=True,
        worker_eta_task_limit=10,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": HARD_LIMIT_SECONDS + 60,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
        timezone="UTC",
        beat_schedule={bell.value: {"task": bell.value, "schedule": RHYTHMS.get(bell, ring_seconds)} for bell in Bell},
    )
    return app


class Beat(Scheduler):  # type: ignore[misc]  # Celery has no types for it
    """Rings no more while nobody hears it: after days without a worker there would be hundreds of thousands to go through."""

    def apply_async(self, entry: ScheduleEntry, producer: Producer | None = None, **others: Any) -> object:  # noqa: ANN401
        """Ring one bell, unless too many wait. What the broker raises is logged by the caller."""
        if producer is not None and _rings_waiting(producer, 0) >= RINGS_MAX:
            return None
        return super().apply_async(entry, producer=producer, **others)


def _rings_waiting(producer: Producer, priority: int) -> int:
    """How many rings nobody has heard yet. On Redis each priority is a list of its own, the most urgent by the queue's plain name."""
    channel = producer.channel
    try:
        return int(channel.client.llen(f"{QUEUE}{channel.sep}{priority}" if priority else QUEUE))
    except channel.connection_errors as error:
        raise BrokerAway(str(error)) from error


def doorbell(app: Celery, *, priority: int = 0) -> Callable[[Bell], None]:
    """A function that rings; one of less priority rings no more while too many of its rings wait. It raises kombu's OperationalError
    when the broker is away; beat will ring in its place.
    """

    def ring(bell: Bell) -> None:
        with app.producer_or_acquire() as producer:
            if not priority or _rings_waiting(producer, priority) < RINGS_MAX:
                told: dict[str, Any] = {"ignore_result": True, "retry": False, "expires": 600, "priority": priority}
                app.send_task(bell.value, producer=producer, **told)

    return ring


def drain(work: Callable[[], int], *, seconds: float) -> int:
    """Repeat a bounded batch until nothing is left or the time is up; returns how much was done."""
    ends_at = time.monotonic() + seconds
    total = 0
    while (done := work()) and time.monotonic() < ends_at:
        total += done
    return total


def bells_of(kinds: Collection[StepKind]) -> list[Bell]:
    """Which bells to ring when steps of these kinds are due."""
    return [bell for bell, due in ((Bell.STEPS, set(kinds) - LETTERS), (Bell.LETTERS, LETTERS & set(kinds))) if due]


def add_tasks(app: Celery, wiring: Callable[[], Wiring], *, first: Callable[[Wiring], None] = lambda _: None) -> None:
    """Register one task a bell. Each rings for the steps of others that are due: those that it planned. ``first`` is asked before
    all work at the gateway, and raises SettingsInvalid or GatewayError where there must be none.
    """
    ring = doorbell(app)
    alone = Alone()

    def task(bell: Bell, work: Callable[[Wiring], int], *, then_steps: bool) -> None:
        seconds = DRAIN_SECONDS if bell is not Bell.BACKFILL else 0.0

        def run() -> None:
            try:
                if bell not in WITHOUT_GATEWAY:
                    first(wiring())
                with alone.taking(ALONE[bell]) if bell in ALONE else nullcontext(enter_result=True) as mine:
                    done = drain(lambda: work(wiring()), seconds=seconds) if mine else 0
                planned = bells_of(wiring().due_kinds()) if done and then_steps else []
            except SQLAlchemyError as error:
                # Leases and holds bring the work back; the next ring tries again.
                log.warning("database_away", bell=bell.value, error=type(error).__name__)
                return
            except GatewayError as error:
                log.warning("gateway_away", bell=bell.value, error=str(error))
                return
            except SettingsInvalid as error:
                log.error("refused", bell=bell.value, error=str(error))
                return
            for due in planned:
                if due is not bell:
                    _ring_softly(ring, due)

        app.task(run, name=bell.value)

    task(Bell.EVENTS, Wiring.process_events, then_steps=True)
    task(Bell.STEPS, Wiring.perform_steps, then_steps=True)
    task(Bell.LETTERS, Wiring.write_letters, then_steps=False)
    task(Bell.SWEEP, Wiring.sweep, then_steps=True)
    task(Bell.MERCHANT, Wiring.tell_merchant, then_steps=False)
    task(Bell.BOOKS, Wiring.keep_books, then_steps=False)
    task(Bell.BACKFILL, Wiring.backfill, then_steps=True)
    task(Bell.RENEWALS, Wiring.look_ahead, then_steps=False)


def _ring_softly(ring: Callable[[Bell], None], bell: Bell) -> None:
    try:
        ring(bell)
    except BrokerAway as error:
        log.warning("broker_away", bell=bell.value, error=type(error).__name__)


def run_worker(settings: Settings, *, database_url: str, broker_url: str, known: Knowledge) -> int:
    """Run a worker until it is told to stop. Each pool process makes its own connections. The status to end with: none but 0
    if it was told to, as a supervisor may start again only what failed.
    """
    app = make_app(broker_url, ring_seconds=settings.ring_seconds)
    held: dict[str, Wiring] = {}

    def wiring() -> Wiring:
        if "wiring" not in held:
            size = min(settings.threads, POOL_MAX)
            held["wiring"] = Wiring(settings, database_url, pool_size=size, broker_url=broker_url, known=known)
        return held["wiring"]

    def forget(**_: Any) -> None:  # noqa: ANN401 - Celery's signal arguments
        if "wiring" in held:
            held.pop("wiring").database.dispose()

    worker_process_init.connect(forget, weak=False)
    worker_process_shutdown.connect(forget, weak=False)
    setup_logging.connect(lambda **_: set_up_logging(settings), weak=False)
    add_tasks(app, wiring, first=AccountKept())
    processes = settings.worker_processes + len(set(ALONE.values()))
    arguments = ["worker", "--pool=prefork", f"--concurrency={processes}", f"--queues={QUEUE}"]
    begun: list[Worker] = []
    worker_init.connect(lambda sender, **_: begun.append(sender), weak=False)
    app.worker_main([*arguments, "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"])
    return max((worker.exitcode or 0 for worker in begun), default=1)


def run_beat(settings: Settings, *, broker_url: str) -> None:
    """Ring all bells in their rhythm until told to stop. A second beat does no harm."""
    app = make_app(broker_url, ring_seconds=settings.ring_seconds)
    setup_logging.connect(lambda **_: set_up_logging(settings), weak=False)
    app.Beat(scheduler=Beat, loglevel="WARNING", quiet=True, max_interval=1).run()
