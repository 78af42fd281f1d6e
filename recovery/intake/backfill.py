"""Finds what never arrived. Without it a webhook lost while we were away would be a case that nobody opens or a payment nobody books.

Reads the gateway's own list of events and its open invoices. Safe at any time and as often as one likes: events are stored once, a
failure opens one case, and a fact that is known changes nothing.
"""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice

import structlog

from recovery.cases.facts import Fact, InvoicePaid, InvoiceVoided, InvoiceWrittenOff, PaymentFailed
from recovery.cases.obligation import Obligation, ObligationStatus
from recovery.engine.advance import advance, open_case
from recovery.engine.door import Door
from recovery.gateways.port import Gateway, NotFound, Notice
from recovery.intake.deserving import undeserving
from recovery.intake.receive import event_of
from recovery.storage.case_store import cases_of, load_case, open_cases
from recovery.storage.event_store import store_event
from recovery.storage.flag_store import BACKFILLED, raise_flag, read_flags

log = structlog.get_logger(__name__)

LISTED_DAYS = 30
"""How long the gateway lists its events. Source: Stripe, API reference, events."""

OVERLAP = timedelta(hours=1)
"""Read again before where the last run began: an event may show in the list later than its instant says."""

COMMIT_EVENTS = 100
"""Events stored by one commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one run found: events that had never arrived, cases opened, cases told of an end."""

    events_listed: int
    events_new: int
    invoices_open: int
    cases_opened: int
    cases_told: int


@dataclass(frozen=True, slots=True)
class Backfill:
    """One reading of the gateway's lists. ``kinds`` are the events that intake keeps."""

    door: Door
    gateway: Gateway
    kinds: Collection[str]

    def run(self, *, since: datetime | None = None) -> Found:
        """Read all there is since an instant; by default since the last run, at first as far back as the gateway lists.

        Raises GatewayUnavailable and GatewayMisconfigured: what was found until then is kept, and the next run begins where this did.
        """
        began = self.door.clock()
        listed, fresh = self._events(since or self._last(began))
        open_names = frozenset(self.gateway.open_obligations())
        opened = sum(1 for name in sorted(open_names) if self._open(name))
        told = sum(1 for case_id in self._elsewhere_ended(open_names) if self._tell(case_id))
        found = Found(
            events_listed=listed,
            events_new=fresh,
            invoices_open=len(open_names),
            cases_opened=opened,
            cases_told=told,
        )
        with self.door.database.begin() as tx:
            raise_flag(tx, BACKFILLED, began.isoformat(), at=began)
        log.info("backfilled", **asdict(found))
        return found

    def _last(self, now: datetime) -> datetime:
        with self.door.database.connect() as tx:
            known = [flag for flag in read_flags(tx, BACKFILLED) if flag.name == BACKFILLED]
        furthest = now - timedelta(days=LISTED_DAYS)
        return max(furthest, datetime.fromisoformat(known[0].detail) - OVERLAP) if known else furthest

    def _events(self, since: datetime) -> tuple[int, int]:
        listed = fresh = 0
        wanted = (notice for notice in self.gateway.notices_since(since) if notice.kind in self.kinds)
        for portion in _portions(wanted):
            machine_now = self.door.machine_clock()
            listed += len(portion)
            with self.door.database.begin() as tx:
                for notice in portion:
                    fresh += store_event(tx, event_of(notice, self.gateway.name), machine_now=machine_now)
        return listed, fresh

    def _open(self, name: str) -> bool:
        """Open the case of a failed invoice that has none; older than the list of events, for one that is on it comes by itself."""
        with self.door.database.connect() as tx:
            if cases_of(tx, obligation=name):
                return False
        try:
            obligation = self.gateway.read_obligation(name)
        except NotFound:
            return False
        failure = obligation.last_failure
        if failure is None or undeserving(obligation, livemode=self.gateway.livemode) is not None:
            return False
        open_case(self.door, PaymentFailed(charge=failure, obligation=obligation), gateway=self.gateway.name)
        return True

    def _elsewhere_ended(self, open_names: frozenset[str]) -> Iterator[str]:
        """Our open cases whose invoice the gateway does not list as open."""
        with self.door.database.connect() as tx:
            ours = open_cases(tx)
        return (case_id for case_id, name in ours if name not in open_names)

    def _tell(self, case_id: str) -> bool:
        with self.door.database.connect() as tx:
            case = load_case(tx, case_id)
        if case.open_attempt is not None:
            return False  # it is settled by reading in any case, and only then is known who paid
        try:
            fact = _end_read(self.gateway.read_obligation(case.obligation))
        except NotFound:
            return False  # the case's own next step finds that out, and asks a person
        return fact is not None and advance(self.door, case_id, fact).decision is not None


def _end_read(obligation: Obligation) -> Fact | None:
    at = obligation.paid_at or obligation.created_at
    match obligation.status:
        case ObligationStatus.PAID:
            return InvoicePaid(obligation_id=obligation.id, charges=obligation.succeeded, at=at)
        case ObligationStatus.VOID:
            return InvoiceVoided(obligation_id=obligation.id, at=at)
        case ObligationStatus.UNCOLLECTIBLE:
            return InvoiceWrittenOff(obligation_id=obligation.id, at=at)
        case _:
            return None


def _portions(notices: Iterator[Notice]) -> Iterator[list[Notice]]:
    while portion := list(islice(notices, COMMIT_EVENTS)):
        yield portion
