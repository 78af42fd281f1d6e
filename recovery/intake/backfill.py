"""Finds what never arrived. Without it a webhook lost while we were away would be a case that nobody opens or a payment nobody books.

Reads the gateway's own list of events and its open invoices. Safe at any time and as often as one likes: events are stored once, a
failure opens one case, and a fact that is known changes nothing.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import islice

import structlog

from recovery.cases.facts import Fact, InvoicePaid, InvoiceVoided, InvoiceWrittenOff, PaymentFailed
from recovery.cases.obligation import Obligation, ObligationStatus
from recovery.engine.advance import advance, open_case
from recovery.engine.door import Door
from recovery.gateways.port import Gateway, GatewayRefused, NotFound, Notice
from recovery.intake.deserving import too_old, undeserving
from recovery.intake.idle import is_idle
from recovery.intake.receive import event_of
from recovery.storage.case_store import known_obligations, load_case, open_cases
from recovery.storage.connect import at_once
from recovery.storage.event_store import store_events
from recovery.storage.flag_store import (
    BACKFILL_LEFT,
    BACKFILL_LISTED,
    BACKFILL_REACHED,
    BACKFILL_TOLD,
    BACKFILLED,
    raise_flag,
    read_flags,
)

log = structlog.get_logger(__name__)

LISTED_DAYS = 30
"""How long the gateway lists its events. Source: Stripe, API reference, events."""

OVERLAP = timedelta(hours=1)
"""Read again before where the last run began: an event may show in the list later than its instant says."""

COMMIT_EVENTS = 100
"""Events stored by one commit."""

MADE_WITHIN_DAYS = 60
"""Open invoices made earlier are not read every half hour: the first charge comes within days, the last of a gateway's retries
within weeks, and a failure of today arrives as an event whatever the age of its invoice."""

READING_SECONDS = 300.0
"""How long one run reads invoices without a case; the next one goes on behind them. An account may have thousands that deserve none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one run found: events that had never arrived, cases opened, and cases told of an end.

    ``invoices_left`` have no case and got none: too old to be acted upon, or not read this time. ``invoices_unreadable`` were answered
    without meaning.
    """

    events_listed: int
    events_new: int
    invoices_open: int
    invoices_left: int
    invoices_unreadable: int
    cases_opened: int
    cases_told: int


@dataclass(frozen=True, slots=True)
class Backfill:
    """One reading of the gateway's lists. ``kinds`` are the events that intake keeps.

    ``any_age`` opens the cases of failures beyond the horizon too, whose customers are then written to at once.
    """

    door: Door
    gateway: Gateway
    kinds: Collection[str]
    any_age: bool = False

    def run(self, *, since: datetime | None = None) -> Found:
        """Read all there is since an instant; by default since the last run, at first as far back as the gateway lists.

        Raises GatewayUnavailable and GatewayMisconfigured: what was found until then is kept, and the next run goes on behind it.
        """
        began, last = self.door.clock(), self._last(self.door.clock())
        whole = since is None or since <= last
        listed, fresh = self._events(since or last, whole=whole)
        open_now = {each.id: each.created_at for each in self.gateway.open_obligations()}
        outcomes, unread = self._without_case(open_now, made_after=began - timedelta(days=MADE_WITHIN_DAYS))
        told = Counter(self._tell(case_id) for case_id in self._elsewhere_ended(frozenset(open_now)))
        if whole:
            self._note(BACKFILLED, began.isoformat())  # nothing before it is unread, and all of it was gone through
        left = unread + outcomes[_Outcome.TOO_OLD]
        self._note(BACKFILL_LEFT, str(left))
        found = Found(
            events_listed=listed,
            events_new=fresh,
            invoices_open=len(open_now),
            invoices_left=left,
            invoices_unreadable=outcomes[_Outcome.UNREADABLE] + told[_Outcome.UNREADABLE],
            cases_opened=outcomes[_Outcome.OPENED],
            cases_told=told[_Outcome.TOLD],
        )
        log.info("backfilled", **asdict(found))
        return found

    def _note(self, flag: str, detail: str) -> None:
        with self.door.database.begin() as tx:
            raise_flag(tx, flag, detail, at=self.door.clock())

    def open_one(self, name: str) -> str | None:
        """Open the case of one invoice, however old its failure is; None when it was done, else why not.

        Raises GatewayUnavailable, GatewayMisconfigured, GatewayRefused and NotFound.
        """
        with self.door.database.connect() as tx:
            if known_obligations(tx, [name]):
                return "it has its case already"
        obligation = self.gateway.read_obligation(name)
        failure = obligation.last_failure
        if failure is None:
            return "no payment of it has failed"
        why = undeserving(obligation, livemode=self.gateway.livemode)
        if why is None:
            open_case(self.door, PaymentFailed(charge=failure, obligation=obligation), gateway=self.gateway.name)
        return why

    def _without_case(
        self, open_now: Mapping[str, datetime], *, made_after: datetime
    ) -> tuple[Counter["_Outcome"], int]:
        """Open the cases that open invoices deserve; what came of those that were read, and how many were not."""
        with self.door.database.connect() as tx:
            caseless = sorted(open_now.keys() - known_obligations(tx, list(open_now)))
            reached = [flag.detail for flag in read_flags(tx, BACKFILL_REACHED)]
        turn = [name for name in caseless if self.any_age or open_now[name] >= made_after]
        outcomes: Counter[_Outcome] = Counter()
        behind = reached[0] if reached and not self.any_age else ""
        ends = self.door.machine_clock() + timedelta(seconds=READING_SECONDS)
        for name in sorted(turn, key=lambda each: (each <= behind, each)):
            if not self.any_age and self.door.machine_clock() >= ends:
                break
            self._note(
                BACKFILL_REACHED, name
            )  # before the reading: one that always fails must not hold up all behind it
            outcomes[self._open(name)] += 1
        return outcomes, len(caseless) - outcomes.total()

    def _last(self, now: datetime) -> datetime:
        with self.door.database.connect() as tx:
            known = [flag.detail for flag in read_flags(tx, "backfill") if flag.name in (BACKFILLED, BACKFILL_LISTED)]
        furthest = now - timedelta(days=LISTED_DAYS)
        return max([furthest, *(datetime.fromisoformat(detail) - OVERLAP for detail in known)])

    def _events(self, since: datetime, *, whole: bool) -> tuple[int, int]:
        """How many were listed and new. ``whole``: nothing before is unread, so that a run that breaks off has come so far."""
        listed = fresh = 0
        told = self.gateway.notices_since(since)
        wanted = (each for each in told if each.kind in self.kinds and not is_idle(each.kind, each.content))
        for portion in _portions(wanted):
            machine_now = self.door.machine_clock()
            listed += len(portion)
            events = [event_of(notice, self.gateway.name) for notice in portion]
            with at_once(self.door.database) as tx:
                fresh += len(store_events(tx, events, machine_now=machine_now))
            if whole:
                self._note(BACKFILL_LISTED, portion[-1].created_at.isoformat())
        return listed, fresh

    def _open(self, name: str) -> "_Outcome":
        """Open the case of a failed invoice; older than the list of events, for one that is on it comes by itself."""
        try:
            obligation = self.gateway.read_obligation(name)
        except NotFound:
            return _Outcome.UNDESERVING
        except GatewayRefused as error:
            log.warning("invoice_unreadable", invoice=name, error=str(error))
            return _Outcome.UNREADABLE
        failure = obligation.last_failure
        if failure is None or undeserving(obligation, livemode=self.gateway.livemode) is not None:
            return _Outcome.UNDESERVING
        with self.door.database.connect() as tx:
            rules = self.door.rulebook.rules_for(tx, self.door.rulebook.current)
        if not self.any_age and too_old(obligation, failure, rules=rules, now=self.door.clock()) is not None:
            return _Outcome.TOO_OLD
        open_case(self.door, PaymentFailed(charge=failure, obligation=obligation), gateway=self.gateway.name)
        return _Outcome.OPENED

    def _elsewhere_ended(self, open_names: frozenset[str]) -> Iterator[str]:
        """Our open cases whose invoice the gateway does not list as open."""
        with self.door.database.connect() as tx:
            ours = [case_id for case_id, name in open_cases(tx) if name not in open_names]
            reached = [flag.detail for flag in read_flags(tx, BACKFILL_TOLD)]
        behind = reached[0] if reached else ""
        for case_id in sorted(ours, key=lambda each: (each <= behind, each)):
            self._note(BACKFILL_TOLD, case_id)  # before the reading, as above
            yield case_id

    def _tell(self, case_id: str) -> "_Outcome":
        with self.door.database.connect() as tx:
            case = load_case(tx, case_id)
        if case.open_attempt is not None:
            return _Outcome.NO_NEWS  # it is settled by reading in any case, and only then is known who paid
        try:
            fact = _end_read(self.gateway.read_obligation(case.obligation), now=self.door.clock())
        except NotFound:
            return _Outcome.NO_NEWS  # the case's own next step finds that out, and asks a person
        except GatewayRefused as error:
            log.warning("invoice_unreadable", invoice=case.obligation, error=str(error))
            return _Outcome.UNREADABLE
        news = fact is not None and advance(self.door, case_id, fact).decision is not None
        return _Outcome.TOLD if news else _Outcome.NO_NEWS


class _Outcome(Enum):
    OPENED = auto()
    UNDESERVING = auto()
    TOO_OLD = auto()
    UNREADABLE = auto()
    TOLD = auto()
    NO_NEWS = auto()


def _end_read(obligation: Obligation, *, now: datetime) -> Fact | None:
    at = obligation.paid_at or now
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
