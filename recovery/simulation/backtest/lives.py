"""Plays one person's life under one strategy. Without one loop for all strategies they would not meet the same customers.

What the world does comes before what a strategy does at the same instant, as in the demo.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from recovery.declines.signals import Initiator
from recovery.simulation.backtest.account import Account, Tried
from recovery.simulation.world import life
from recovery.simulation.world.build import World
from recovery.simulation.world.people import Person
from recovery.values import quick

LIFE_DAYS = 45
"""How long a case is followed after its failure: the policy's 21 days of silence, 14 for the customer, and some to react."""


class Strategy(Protocol):
    """Somebody who tries to get the invoice paid. Made anew for each life."""

    @property
    def due_at(self) -> datetime | None:
        """When it wants to act next; None: only if something happens."""
        ...

    def act(self, now: datetime, /) -> None:
        """Do what is due."""
        ...

    def failed(self, tried: Tried, now: datetime, /) -> None:
        """A charge that was not ours failed; the first one is the renewal itself."""
        ...

    def card_changed(self, now: datetime, /) -> None:
        """The gateway tells that something about the customer's cards changed."""
        ...

    def over(self, now: datetime, /) -> None:
        """The invoice was paid by the customer, or the subscription is cancelled."""
        ...


class Scene:
    """What a strategy can see and do in one life: the account at the gateway and the mail."""

    __slots__ = ("_deeds", "_number", "_world", "account", "mailed_at")

    def __init__(self, world: World, person: Person) -> None:
        self._world = world
        self._number = 0
        self.account = Account(world, person)
        self.mailed_at: list[datetime] = []
        self._deeds: list[tuple[datetime, int, life.Deed]] = []
        self._plan(life.beginnings(world.seed, world.parameters, person))

    def mail(self, now: datetime) -> None:
        """Send the customer an email with a link; the person may react."""
        self.mailed_at.append(now)
        person, number = self.account.person, len(self.mailed_at)
        self._plan(life.after_mail(self._world.seed, self._world.parameters, person, at=now, number=number))

    @property
    def next_at(self) -> datetime | None:
        """When the world does something next."""
        return self._deeds[0][0] if self._deeds else None

    def play_next(self, strategy: Strategy) -> None:
        """Let the world's next deed happen and the strategy hear of it."""
        at, _, deed = heapq.heappop(self._deeds)
        account = self.account
        match deed:
            case life.Renew():
                strategy.failed(account.charge(at, account.on_file, initiator=Initiator.GATEWAY), at)
            case life.CardUpdated(card=card):
                account.update(card)
                strategy.card_changed(at)
            case life.SaveCard(card=card):
                account.save(card, at)
                strategy.card_changed(at)
            case life.PayOnPage(card=card) if account.obligation.status == "open":
                if card is not None:
                    account.attach(card, at)
                tried = account.charge(at, card or account.on_file, initiator=Initiator.CUSTOMER)
                if tried.approved:
                    strategy.over(at)
                    return
                strategy.failed(tried, at)
                if card is not None:
                    strategy.card_changed(at)
            case life.Cancel() if account.obligation.subscription_live:
                account.cancel()
                strategy.over(at)

    def _plan(self, plans: list[life.Plan]) -> None:
        for at, deed in plans:
            self._number += 1
            heapq.heappush(self._deeds, (at, self._number, deed))


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What came of one life: all charges by anybody, the renewal first, the emails, and whether the customer left."""

    charges: tuple[Tried, ...]
    mailed_at: tuple[datetime, ...]
    cancelled: bool

    @property
    def won(self) -> Tried | None:
        """The charge that brought the money, whoever made it."""
        return self.charges[-1] if self.charges and self.charges[-1].approved else None

    @property
    def tried(self) -> tuple[Tried, ...]:
        """The charges of the strategy."""
        return tuple(tried for tried in self.charges if tried.charge.initiator is Initiator.ENGINE)


def play(scene: Scene, strategy: Strategy, *, until: datetime) -> Ending:
    """Play a life to its end, or until an instant."""
    while True:
        theirs, ours = scene.next_at, strategy.due_at
        if theirs is not None and (ours is None or theirs <= ours):
            if theirs > until:
                break
            scene.play_next(strategy)
        elif ours is not None and ours <= until:
            strategy.act(ours)
        else:
            break
    account = scene.account
    return Ending(
        charges=tuple(account.tries),
        mailed_at=tuple(scene.mailed_at),
        cancelled=not account.obligation.subscription_live,
    )


def life_ends_at(person: Person) -> datetime:
    """The instant until which a life is followed when nothing else ends it."""
    return person.fails_at + timedelta(days=LIFE_DAYS)
