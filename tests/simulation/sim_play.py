"""One run: the production engine on real PostgreSQL, everybody else simulated, all of it chosen by one seed in one thread."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast

from sim_acts import People
from sim_books import Books
from sim_clocks import Clocks
from sim_database import Eye
from sim_edges import EdgedDatabase
from sim_faults import Crashed, Dice, Faults
from sim_gateway import SimGateway
from sim_mailer import Left, SimMailer
from sim_post import KINDS, Post
from sim_rules import CONFIG, Shelf, next_edition, shipped, varied
from sim_till import Till
from sim_visits import LINKS, Front, Visits
from sqlalchemy import Engine, text

from recovery.cases.facts import PersonDecided
from recovery.cases.lifecycle import State, StepKind
from recovery.cases.updating import UpdaterWay
from recovery.charging.breaker import Breaker
from recovery.charging.charge import ChargeCard
from recovery.charging.ending import CloseCase, Escalate
from recovery.charging.keep import KeepCard
from recovery.charging.refresh import RefreshCard
from recovery.charging.settle import SettleAttempt
from recovery.charging.siblings import WakeSiblings
from recovery.dunning.addresses import Addresses
from recovery.dunning.letter import Brand, Letters
from recovery.dunning.send import Outbox, SendEmail
from recovery.engine.advance import advance
from recovery.engine.claims import Performer, perform_due
from recovery.engine.door import Door
from recovery.engine.leases import Extend
from recovery.engine.sweep import sweep
from recovery.gateways.port import GatewayError
from recovery.intake.backfill import Backfill
from recovery.intake.events import Intake
from recovery.storage.aside_store import replay_steps
from recovery.storage.event_store import replay_set_aside
from recovery.storage.flag_store import CHARGING_HALTED, lower_flag

DEPTH_MAX = 2
"""How deep workers may be interrupted by workers: three at once find what three can."""

TURNS = 100
"""How many turns a run takes with faults before they stop and everything is drained."""

DRAIN_MAX = 1500
"""A run that has not ended after so many quiet turns never will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to run: a seed, and for shrinking how many customers, how many turns and which kinds of trouble not."""

    seed: int
    customers: int = 0
    turns: int = TURNS
    off: frozenset[str] = frozenset()


_READY = (
    "SELECT (SELECT array_agg(DISTINCT kind) FROM steps WHERE state = 'planned' AND due_at <= %(now)s"
    " AND set_aside_at IS NULL AND (hold_until IS NULL OR hold_until <= %(machine)s)) AS kinds,"
    " (SELECT count(*) FROM events WHERE state = 'waiting' AND (hold_until IS NULL OR hold_until <= %(machine)s)) AS events,"
    " (SELECT count(*) FROM steps WHERE state = 'in_flight' AND set_aside_at IS NULL AND lease_until <= %(machine)s) AS lapsed,"
    " (SELECT count(*) FROM cases c WHERE c.state IN ('silent', 'dunning', 'review') AND NOT EXISTS (SELECT FROM steps s"
    " WHERE s.case_id = c.id AND s.state IN ('planned', 'in_flight'))) AS orphans,"
    " (SELECT count(*) FROM cases c WHERE c.state = 'dunning' AND c.letters_done = 0 AND NOT c.mail_stopped AND NOT EXISTS ("
    "SELECT FROM steps s WHERE s.case_id = c.id AND s.kind IN ('send_email', 'settle_attempt', 'refresh_card')"
    " AND s.state IN ('planned', 'in_flight')) AND NOT EXISTS (SELECT FROM attempts a WHERE a.case_id = c.id"
    " AND a.status = 'in_flight')) AS unasked,"
    " (SELECT count(*) FROM steps WHERE set_aside_at IS NOT NULL AND state IN ('planned', 'in_flight')) +"
    " (SELECT count(*) FROM events WHERE state = 'set_aside') +"
    " (SELECT count(*) FROM cases WHERE state = 'review') + (SELECT count(*) FROM flags WHERE name = %(halted)s) AS wanted"
)


_WAITS = (
    "SELECT min(at), min(at) FILTER (WHERE NOT of_event),"
    " (SELECT min(due_at) FROM steps WHERE state = 'planned' AND set_aside_at IS NULL)"
    " FROM (SELECT lease_until AS at, false AS of_event FROM steps WHERE state = 'in_flight' AND set_aside_at IS NULL UNION ALL"
    " SELECT hold_until, false FROM steps WHERE state = 'planned' AND due_at <= %(now)s AND hold_until > %(machine)s"
    " AND set_aside_at IS NULL UNION ALL"
    " SELECT hold_until, true FROM events WHERE state = 'waiting' AND hold_until > %(machine)s) AS held"
)
"""When the next lease or hold ends of what is due or in flight already, with and without held events, and the next step's due time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What the database has for its workers at this moment."""

    kinds: frozenset[str]
    events: int
    lapsed: int
    wanted: int
    """How much waits for a person."""


class NeverRenews:
    """A keeper whose thread never gets its turn."""

    lease_seconds = 30.0

    def keeping(self, _door: Door, _extend: Extend, *, most_seconds: float) -> AbstractContextManager[None]:
        assert most_seconds > 0
        return nullcontext()


@cache
def _letters() -> Letters:
    """Read and compiled once a process: nothing of a run changes them."""
    return Letters(CONFIG / "emails", Brand(name="Sim", sender="sim@example.com"))


class DidNotEnd(AssertionError):
    """With all faults over, some case never came to its end."""


@dataclass
class Run:
    """All parts of one run, joined."""

    wish: Wish
    database: Engine
    trace: list[str] = field(default_factory=list)
    depth: int = 0
    idle: bool = False
    """Whether nothing at all is due any more, ever."""

    def __post_init__(self) -> None:
        dice = Dice(self.wish.seed)
        self.faults = Faults(dice, off=self.wish.off)
        self.clocks = Clocks(driven=self.faults.allows("driven") and dice.of("driven").random() < 0.4)
        self.books = Books()
        self.post = Post(self.clocks, self.faults, self.say)
        hard = self.faults.allows("hard_times") and dice.of("hard times").random() < 0.4
        self.till = Till(self.books, self.clocks, self.post, self.faults, hard=hard)
        self.gateway = SimGateway(self.till, self.clocks, self.faults, self.say, self.meanwhile)
        self.mailer = SimMailer(self.clocks, self.faults, self.say, self.meanwhile)
        self.people = People(self.books, self.till, self.clocks, self.faults, self.say)
        self.gateway.renew = self.people.renewed
        if self.faults.allows("updater_asked") and dice.of("updater way").random() < 0.3:
            self.gateway.updater = UpdaterWay.ON_DEMAND
        self.knowledge = varied(dice.of("rules")) if self.faults.allows("new_rules") else shipped()
        self.editions = [(self.clocks.at, self.knowledge)]
        self.shelf = Shelf(self.database, self.knowledge, self.clocks.machine())
        edged = cast(Engine, EdgedDatabase(self.database, self.faults, self.say, self.meanwhile))
        self.door = self._door(edged)
        # Half of the workers never manage to renew what they claimed: then everything takes longer than its lease.
        self.keeper = NeverRenews() if self.faults.allows("short_leases") and dice.of("leases").random() < 0.5 else None
        self.intake = Intake(self.door, self.gateway, self.keeper)
        self.performers = self._performers()
        self.eye = Eye(self.database)
        self.people.settle_in(self.wish.customers or dice.of("people").choice((1, 1, 2, 3)))

    def _door(self, database: Engine) -> Door:
        return Door(
            database=database, rulebook=self.shelf, clock=self.clocks.business, machine_clock=self.clocks.machine
        )

    def _performers(self) -> dict[StepKind, Performer]:
        letters = _letters()
        outbox = Outbox(sender_domain="example.com", links=LINKS, addresses=Addresses(key="the key of the simulation"))
        send = SendEmail(self.door, self.gateway, self.mailer, letters, outbox)
        front = Front(
            database=self.door.database,
            gateway=self.gateway,
            door=self.door,
            rulebook=self.shelf,
            letters=letters,
            outbox=outbox,
        )
        self.visits = Visits(front, self.clocks, self.faults, self.say)
        self.mailer.arrived = self._arrived
        return {
            StepKind.SETTLE_ATTEMPT: SettleAttempt(self.door, self.gateway),
            StepKind.WAKE_SIBLINGS: WakeSiblings(self.door),
            StepKind.KEEP_CARD: KeepCard(self.door, self.gateway),
            StepKind.REFRESH_CARD: RefreshCard(self.door, self.gateway),
            StepKind.CHARGE_CARD: ChargeCard(self.door, self.gateway, Breaker(self.clocks.machine)),
            StepKind.SEND_EMAIL: send,
            StepKind.ASK_REASON: send,
            StepKind.CLOSE_CASE: CloseCase(self.door, self.gateway),
            StepKind.ESCALATE: Escalate(self.door),
        }

    def _arrived(self, mail: Left) -> None:
        """Every other email is opened, within days; also when the faults are over, as most letters come late."""
        dice = self.faults.dice.of("readers")
        if "customer_visits" not in self.wish.off and dice.random() < 0.6:
            for _ in range(dice.choice((1, 1, 2))):
                self.people.plan(dice.uniform(60, 500_000), lambda: self.visits.visit(mail))

    def say(self, line: str) -> None:
        """One line of the story."""
        self.trace.append(f"{self.clocks.at:%d %b %H:%M:%S} {'    ' * self.depth}{line}")

    def play(self) -> None:
        """The whole story: turns with faults, then the quiet end. Raises DidNotEnd."""
        dice = self.faults.dice.of("turns")
        for _ in range(self.wish.turns):
            ready = self.ready()
            self.turn(dice.choices(tuple(_TURNS), weights=self._weights(ready))[0], ready)
            if self.idle:
                break
        self.faults.ended = True
        self.clocks.skew = timedelta(0)
        self.say("faults are over")
        for _ in range(DRAIN_MAX):
            if not self.quiet_turn() and not self.backfill():
                return
        raise DidNotEnd(f"not ended after {DRAIN_MAX} quiet turns: {self.still_open()}")

    def _weights(self, ready: Ready) -> list[int]:
        """How likely each actor is to act next: a ring that would find nothing is not rung."""
        weights = dict.fromkeys(_TURNS, 0) | _WEIGHTS
        post = self.post.next_due is not None and self.post.next_due <= self.clocks.at.timestamp()
        weights |= {"steps": 40 * bool(ready.kinds), "events": 20 * bool(ready.events), "post": 20 * post}
        weights |= {"sweep": 10 * bool(ready.lapsed), "jump": 4 if ready.kinds or ready.events or post else 60}
        return [weights[kind] for kind in _TURNS]

    def turn(self, kind: str, ready: Ready | None = None) -> None:
        """One act of one actor; the end of a worker ends only itself. ``ready`` is what there is to do, where that was just asked."""
        try:
            if kind == "steps":
                self.steps(ready)
            else:
                _TURNS[kind](self)
        except Crashed:
            self.say(f"{kind}: the worker is gone")
        self.gateway.land_due()
        self.people.finish_processing()

    def ready(self) -> Ready:
        """What is there to do now. Asked before each ring: rings that find nothing cost most of a run otherwise."""
        now, machine = self.clocks.at, self.clocks.machine()
        moment = {"now": now, "machine": machine, "halted": CHARGING_HALTED}
        kinds, events, lapsed, orphans, unasked, wanted = self.eye.see(_READY, moment)
        assert orphans == 0, "an open case has no wake-up"
        assert unasked == 0, "a customer is to be asked, was not, and no letter is planned"
        return Ready(kinds=frozenset(kinds or ()), events=events, lapsed=lapsed, wanted=wanted)

    def meanwhile(self, where: str, seconds: float) -> None:
        """While a worker waits at an edge, others act and time passes."""
        if self.depth >= DEPTH_MAX:
            return
        dice = self.faults.dice.of("meanwhile turns")
        self.depth += 1
        cool, self.faults.heat = self.faults.heat, 1.0
        self.say(f"(meanwhile, {where}")
        turns = dice.randint(1, 6)
        spent = dice.uniform(0, seconds)
        try:
            for part in range(turns):
                self.gateway.pass_time(spent / turns)
                self.turn(dice.choice(("steps", "steps", "sweep", "sweep", "events", "post", "post now", "act")))
                if part == 0:
                    self.people.act_due()
        finally:
            self.say(")")
            self.depth -= 1
            self.faults.heat = cool

    def quiet_turn(self) -> bool:
        """One turn without faults; False when there is nothing left to do."""
        done = self.post.deliver(self.database, self.gateway, most=50)
        done += self.people.act_due() + self.gateway.land_due()
        self.people.finish_processing()
        ready = self.ready()
        taken = self.events() if ready.events else 0
        done += taken + (self.steps(None if taken else ready) if ready.kinds else 0)
        if ready.lapsed:
            self.sweep()
            done += 1  # it may have set something aside, which a person is to look at
        if ready.wanted or self.gateway.key_refused:
            self.person()
        if done:
            self.clocks.tick(1)
            return True
        return self.wait()

    def steps(self, ready: Ready | None = None) -> int:
        """The ring of steps; how many were claimed."""
        kinds = (ready or self.ready()).kinds
        due = {kind: performer for kind, performer in self.performers.items() if kind in kinds}
        batch = self.faults.dice.of("batch").choice((1, 1, 3))
        cool, self.faults.heat = self.faults.heat, 3.0
        try:
            return perform_due(self.door, due, batch=batch, threads=1, keeper=self.keeper) if due else 0
        finally:
            self.faults.heat = cool

    def events(self) -> int:
        """The ring of events; how many were taken."""
        batch = self.faults.dice.of("batch").choice((1, 3, 10))
        return self.intake.process(batch=batch)

    def sweep(self) -> None:
        """The ring of the sweep."""
        taken = sweep(self.door)
        if taken:
            self.say(f"sweep takes {taken} back")

    def person(self) -> None:
        """The operator: gives the key back, lets charging go on, decides what waits for a decision."""
        dice = self.faults.dice.of("person")
        self.gateway.key_refused = False
        with self.database.begin() as tx:
            lower_flag(tx, CHARGING_HALTED)
            replayed = replay_steps(tx) + replay_set_aside(tx)
            if replayed:
                self.say(f"a person replays {replayed} that were set aside")
            waiting = tx.execute(text("SELECT id, escalations FROM cases WHERE state = 'review' ORDER BY id")).all()
        for case_id, escalations in waiting:
            if escalations >= 1 or dice.random() < 0.3:
                to = dice.choice((State.LOST, State.WITHDRAWN, State.SILENT, State.SILENT))
                self.say(f"a person decides: {case_id} becomes {to.value}")
                fact = PersonDecided(to=to, note="simulated", decided_at=self.clocks.at)
                advance(self._door(self.database), case_id, fact)

    def wait(self) -> bool:
        """Let time come to the next instant at which anything is due; False when nothing ever will be."""
        now, machine = self.clocks.at, self.clocks.machine()
        held, held_step, step_due = self.eye.see(_WAITS, {"now": now, "machine": machine})
        waits = [(item[0] - self.clocks.machine_at).total_seconds() for item in self.gateway.landings]
        # A driven clock does not wait for events that are held: what they wait for may take days of business time.
        ends = [at for at in (held_step if self.clocks.driven else held,) if at is not None]
        waits += [(at - machine).total_seconds() for at in ends]
        step_at = step_due.timestamp() if step_due else None
        due = [at for at in (step_at, self.post.next_due, self.people.next_due) if at is not None]
        if not waits and due:
            self.clocks.jump(datetime.fromtimestamp(min(due), tz=UTC) + timedelta(milliseconds=1))
            return True
        waits = waits or [(held - machine).total_seconds() for _ in range(held is not None)]
        if waits:
            self.clocks.tick(max(min(waits), 0) + 0.001)
        return bool(waits)

    def jump(self) -> None:
        """Time passes to the next instant at which something is due; a driven clock moves only when all is quiet."""
        if self.depth == 0:
            self.idle = not self.wait()
            self.people.act_due()

    def still_open(self) -> list[Any]:
        """For the failure's message: the cases that did not end, and what they wait for."""
        query = text(
            "SELECT c.id, c.state, s.kind, s.state, s.due_at, s.failures, s.error FROM cases c LEFT JOIN steps s"
            " ON s.case_id = c.id AND s.state IN ('planned', 'in_flight') WHERE c.ended_at IS NULL OR s.id IS NOT NULL"
        )
        with self.database.connect() as tx:
            return [tuple(row) for row in tx.execute(query)]

    def backfill(self) -> int:
        """Somebody, or beat, reads the gateway's lists; how much had never arrived."""
        try:
            found = Backfill(self.door, self.gateway, KINDS).run()
        except GatewayError as error:
            self.say(f"backfill: {error}")
            return 0
        for name in sorted(self.gateway.listed):
            self.post.accepted.setdefault(name, self.clocks.at)
        self.say(f"backfill: {found}")
        return found.events_new + found.cases_opened + found.cases_told

    def skew(self) -> None:
        """The next worker's clock is wrong by seconds."""
        if self.faults.strikes("skew"):
            self.clocks.skew = timedelta(seconds=self.faults.dice.of("skew seconds").uniform(-4, 4))

    def new_rules(self) -> None:
        """A deployment with another policy and new editions of the rules."""
        dice = self.faults.dice.of("editions")
        if self.faults.allows("new_rules") and dice.random() < 0.15:
            # A moment of its own: what was decided just before it is judged by the older rules.
            self.clocks.jump(self.clocks.at + timedelta(milliseconds=1))
            at = (self.clocks.at + timedelta(days=dice.choice((0, 1, 5)))).date()
            self.knowledge = next_edition(self.knowledge, dice, at)
            self.say(f"new rules: {self.knowledge.policy_version}, editions from {at}")
            self.editions.append((self.clocks.at, self.knowledge))
            self.shelf.put(self.knowledge, self.clocks.machine())


_TURNS: dict[str, Callable[[Run], object]] = {
    "jump": Run.jump,
    "steps": Run.steps,
    "events": Run.events,
    "post": lambda run: run.post.deliver(run.database, run.gateway, most=3),
    "post now": lambda run: run.post.deliver(run.database, run.gateway, most=5, eager=True),
    "sweep": Run.sweep,
    "act": lambda run: run.people.something(),
    "person": Run.person,
    "skew": Run.skew,
    "new rules": Run.new_rules,
    "backfill": Run.backfill,
}
_WEIGHTS = {"post now": 3, "act": 4, "person": 2, "skew": 1, "new rules": 1, "backfill": 1}
