"""What a monitor wants to know. Without it a stopped worker would be noticed by customers first.

Everything about cases, steps, attempts and money is counted in the database at the time of the scrape, so that several processes
tell the same; only webhooks are counted by the process that took them.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from recovery.dunning.recess import FAILURES_MAX
from recovery.storage.backlog_queries import backlog
from recovery.storage.case_queries import attempts_by_status, bounded, cases_by_state
from recovery.storage.event_store import event_counts
from recovery.storage.flag_store import CHARGING_HALTED, MAIL_ILL, is_raised, read_flags
from recovery.storage.moment import Moment
from recovery.storage.overdue_store import overdue_count
from recovery.storage.report_queries import recovered_totals

log = structlog.get_logger(__name__)

LATENCY_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Stripe gives a webhook some seconds; the endpoint's own work takes milliseconds."""

QUERY_SECONDS = 3
"""No single count may take longer: a monitor that makes the database slow is worse than a gap in a curve."""


class WebhookMeter:
    """Counts and times the webhooks of this process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._taken = Counter(
            "recovery_webhooks", "Webhooks by what became of them (this process)", ["outcome"], registry=self.registry
        )
        self._seconds = Histogram(
            "recovery_webhook_seconds",
            "Time from the first byte to the answer (this process)",
            buckets=LATENCY_SECONDS,
            registry=self.registry,
        )

    def note(self, outcome: str, seconds: float) -> None:
        """One webhook was answered."""
        self._taken.labels(outcome).inc()
        self._seconds.observe(seconds)


def exposition(database: Engine, meter: WebhookMeter, *, moment: Moment, money: bool) -> bytes:
    """All metrics in Prometheus' text form. ``money`` adds amounts, which not everybody may see."""
    state = CollectorRegistry()
    state.register(_State(database, moment=moment, money=money))
    return generate_latest(meter.registry) + generate_latest(state)


class _State(Collector):
    def __init__(self, database: Engine, *, moment: Moment, money: bool) -> None:
        self._database = database
        self._moment = moment
        self._parts: dict[str, Callable[[Connection], Iterable[Metric]]] = {
            "cases": _cases,
            "steps": self._steps,
            "events": _events,
            "charging": _charging,
            "letters": _letters,
            "attempts": _attempts,
        }
        if money:
            self._parts["money"] = _money

    def describe(self) -> Iterable[Metric]:
        return []  # asked at registration: nothing is read for that

    def collect(self) -> Iterator[Metric]:
        failed = GaugeMetricFamily("recovery_scrape_failed", "1 when this part could not be counted", labels=["part"])
        up = GaugeMetricFamily("recovery_database_up", "1 when the database answered")
        try:
            with self._database.connect() as connection:
                up.add_metric([], 1)
                for name, part in self._parts.items():
                    found = self._counted(connection, name, part)
                    failed.add_metric([name], 0 if found is not None else 1)
                    yield from found or ()
        except SQLAlchemyError as error:
            log.warning("scrape_without_database", error=type(error).__name__)
            up.add_metric([], 0)
        yield up
        yield failed

    def _counted(
        self, connection: Connection, name: str, part: Callable[[Connection], Iterable[Metric]]
    ) -> list[Metric] | None:
        try:
            with connection.begin():
                bounded(connection, seconds=QUERY_SECONDS)
                return list(part(connection))
        except SQLAlchemyError as error:
            if connection.invalidated or connection.closed:
                raise
            log.warning("scrape_failed", part=name, error=type(error).__name__)
            return None

    def _steps(self, tx: Connection) -> Iterator[Metric]:
        steps = backlog(tx, moment=self._moment)
        counts = {"due": steps.due, "in_flight": steps.in_flight, "held": steps.held, "failing": steps.failing}
        counts["set_aside"] = steps.set_aside
        counts["overdue"] = overdue_count(tx, moment=self._moment)
        yield _gauge("recovery_steps", "Open steps by where they stand", "standing", counts)
        late = GaugeMetricFamily("recovery_steps_late_seconds", "Business time since the oldest planned step was due")
        late.add_metric([], _late_seconds(steps.next_due_at, self._moment.now))
        yield late


def _late_seconds(next_due_at: datetime | None, now: datetime) -> float:
    return 0.0 if next_due_at is None else max(0.0, (now - next_due_at).total_seconds())


def _cases(tx: Connection) -> Iterator[Metric]:
    yield _gauge("recovery_cases", "Cases by state", "state", cases_by_state(tx))


def _events(tx: Connection) -> Iterator[Metric]:
    yield _gauge("recovery_events", "Stored events that are not done", "state", event_counts(tx))


def _attempts(tx: Connection) -> Iterator[Metric]:
    yield _gauge("recovery_attempts", "Attempts by status", "status", attempts_by_status(tx))


def _charging(tx: Connection) -> Iterator[Metric]:
    halted = GaugeMetricFamily("recovery_charging_halted", "1 while all charging stands still")
    halted.add_metric([], int(is_raised(tx, CHARGING_HALTED)))
    yield halted


def _letters(tx: Connection) -> Iterator[Metric]:
    resting = GaugeMetricFamily("recovery_letters_resting", "1 while letters wait because the mail server is ill")
    resting.add_metric([], int(any(flag.times >= FAILURES_MAX for flag in read_flags(tx, MAIL_ILL))))
    yield resting


def _money(tx: Connection) -> Iterator[Metric]:
    recovered = GaugeMetricFamily(
        "recovery_recovered_minor",
        "Gross recovered money in minor units, never to be added up over currencies",
        labels=["currency", "source"],
    )
    for total in recovered_totals(tx):
        recovered.add_metric([total.currency, total.source], total.recovered_minor)
    yield recovered


def _gauge(name: str, text: str, label: str, counts: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
