"""What somebody would do who knows the world's truth. Without it nobody could say how much of the possible a policy reaches.

It tries once, at the first hour at which the issuer approves; where no silent try can succeed it writes on the day after which the
customer pays, and leaves alone whom an email would drive away.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from recovery.declines.signals import Initiator
from recovery.simulation.answers import Authorization
from recovery.simulation.backtest.account import Tried
from recovery.simulation.backtest.lives import Ending, Scene, life_ends_at, play
from recovery.simulation.backtest.policies import Nothing
from recovery.simulation.backtest.shown import on_file
from recovery.simulation.world.build import World
from recovery.simulation.world.issuers import approves
from recovery.simulation.world.parameters import Cause
from recovery.simulation.world.people import CardFace, Person

SILENT_DAYS = 21
"""As long as the shipped policy may try."""

MAIL_DAYS = (0.0, 1.0, 3.0, 6.0, 10.0, 14.0, 18.0, 21.0)
"""Days after the failure on which writing is considered; finer steps find hardly more."""

_HOUR = timedelta(hours=1)
_BALANCE_STEP = timedelta(hours=3)
"""Issuers throw their dice once an hour, but money comes and goes by the day."""

_SILENT_CAUSES = frozenset({Cause.FUNDS, Cause.HONOR, Cause.OUTAGE, Cause.VELOCITY, Cause.EXPIRED, Cause.REISSUED})


class _At:
    """One charge or one email at a chosen instant; a card saved after the email is charged at once."""

    def __init__(self, scene: Scene, at: datetime, *, mails: bool) -> None:
        self._scene = scene
        self._mails = mails
        self.due_at: datetime | None = at

    def act(self, now: datetime) -> None:
        self.due_at = None
        if self._mails:
            self._scene.mail(now)
        else:
            self._charge(now)

    def failed(self, tried: Tried, now: datetime) -> None:
        """Expected."""

    def card_changed(self, now: datetime) -> None:
        if self._scene.mailed_at and self._scene.account.owed:
            self._charge(now)

    def over(self, _now: datetime) -> None:
        self.due_at = None

    def _charge(self, now: datetime) -> None:
        account = self._scene.account
        account.charge(now, account.on_file, initiator=Initiator.ENGINE)


def clairvoyant(world: World, person: Person) -> Ending:
    """The best ending that was found; the earliest one where several bring the money."""
    until = life_ends_at(person)
    scene = Scene(world, person)
    alone = play(scene, Nothing(scene), until=until)
    found = [alone] if alone.won else []
    silent_at = first_approval(world, person)
    if silent_at is not None:
        found.append(_played(world, person, silent_at, mails=False))
    elif not found:
        written = (
            _played(world, person, person.fails_at + timedelta(days=days, minutes=2), mails=True) for days in MAIL_DAYS
        )
        found += [next((ending for ending in written if ending.won), alone)]
    winning = [ending for ending in found if ending.won]
    return min(winning, key=_won_at) if winning else alone


def _won_at(ending: Ending) -> datetime:
    assert ending.won is not None
    return ending.won.charge.created_at


def _played(world: World, person: Person, at: datetime, *, mails: bool) -> Ending:
    scene = Scene(world, person)
    return play(scene, _At(scene, at, mails=mails), until=life_ends_at(person))


def first_approval(world: World, person: Person) -> datetime | None:
    """The first instant within the silent days at which the issuer approves the card on file, asked once only."""
    if person.trouble.cause not in _SILENT_CAUSES or (person.trouble.chronic and person.trouble.cause is Cause.HONOR):
        return None
    return next((at for at, face in _hours(person) if approved_alone(world, person, face, at)), None)


def approved_alone(world: World, person: Person, face: CardFace, at: datetime) -> bool:
    """Whether the issuer would approve a silent try on a card if nobody had asked before."""
    question = Authorization(
        card=on_file(face),
        customer=person.email,
        invoice=person.email,
        amount_minor=person.amount_minor,
        currency=person.place.currency,
        at=at,
        on_session=False,
        history=(),
    )
    return approves(world.seed, world.parameters, person, question)


def _hours(person: Person) -> Iterator[tuple[datetime, CardFace]]:
    """The instants worth asking, and the card that is on file then."""
    trouble = person.trouble
    ends_at = person.fails_at + timedelta(days=SILENT_DAYS)
    at, face = person.fails_at + timedelta(minutes=2), person.card
    if trouble.cause in (Cause.EXPIRED, Cause.REISSUED):
        if trouble.renewed is None or trouble.updated_at is None:
            return
        at, face = trouble.updated_at + timedelta(minutes=1), trouble.renewed
    elif trouble.ends_at is not None:
        at = trouble.ends_at
    step = _BALANCE_STEP if trouble.cause is Cause.FUNDS else _HOUR
    while at <= ends_at:
        yield at, face
        at += step
