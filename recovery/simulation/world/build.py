"""Making a world from a seed.

Without one builder the demo, the tests and later the backtest would each populate another world under the same seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from recovery.simulation.answers import Answer, Authorization
from recovery.simulation.world.dice import Dice, dice, drawn
from recovery.simulation.world.issuers import answer
from recovery.simulation.world.parameters import Cause, Parameters
from recovery.simulation.world.people import Person, face
from recovery.simulation.world.places import PLACES, Home
from recovery.simulation.world.troubles import expired_face, make_trouble

_PLACE_SHARES = {number: place.share for number, place in enumerate(PLACES)}
_JUST_AFTER_MIDNIGHT = 0.02
_BOOKED_IN_THE_MORNING = (6.0, 9.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """People and their issuers. Answers authorisations as a pure function of the question."""

    seed: int
    start_at: datetime
    days: float
    parameters: Parameters
    people: tuple[Person, ...]
    _by_fingerprint: dict[str, Person] = field(repr=False)

    def answer(self, question: Authorization) -> Answer:
        """What the issuer of that card answers; a card nobody in this world owns is declined as invalid."""
        person = self._by_fingerprint.get(question.card.fingerprint)
        return answer(self.seed, self.parameters, person, question)


def build_world(
    *,
    seed: int,
    customers: int,
    days: float,
    start_at: datetime,
    parameters: Parameters | None = None,
    first: int = 0,
) -> World:
    """A world of that many customers, each with one renewal failing in its first days.

    `start_at` is aware; the same arguments give the same world; `first` numbers the first customer, so that parts of a world can
    be built apart. Raises ValueError for a naive start.
    """
    if start_at.tzinfo is None:
        raise ValueError("start_at needs its offset")
    chosen = parameters or Parameters()
    people = tuple(
        make_person(seed, index, chosen, start_at=start_at, days=days) for index in range(first, first + customers)
    )
    owners: dict[str, Person] = {}
    for person in people:
        renewed = person.trouble.renewed
        for card in (person.card, person.other_card, *([renewed] if renewed else [])):
            owners[card.fingerprint] = person
    return World(seed=seed, start_at=start_at, days=days, parameters=chosen, people=people, _by_fingerprint=owners)


def make_person(seed: int, index: int, parameters: Parameters, *, start_at: datetime, days: float) -> Person:
    """The person of that number; depends on nothing but the arguments."""
    random = dice(seed, "person", index)
    place = PLACES[drawn(random, _PLACE_SHARES)]
    home = Home(place=place, state=random.choice(tuple(place.zones)))
    window = min(parameters.failures_within_days, days)
    fails_at = (start_at + timedelta(days=random.random() * window)).replace(microsecond=0)
    price, annual = random.choice(place.prices_minor), random.random() < parameters.annual_share
    trouble = make_trouble(seed, index, parameters, home=home, fails_at=fails_at)
    card = face(seed, index, place, parameters, number="first", at=fails_at)
    token = trouble.cause is Cause.FUNDS and dice(seed, "token", index).random() < parameters.token_share
    if trouble.cause is Cause.EXPIRED or token:
        card = expired_face(card, fails_at)
    return Person(
        index=index,
        name=f"{random.choice(place.names)} Example{index}",
        email=f"customer{index}@example.com",
        home=home,
        since=fails_at - timedelta(days=30 * random.randint(1, 40)),
        amount_minor=price * 10 if annual else price,
        interval="year" if annual else "month",
        names_own_card=random.random() < parameters.subscription_default_share,
        card=card,
        other_card=face(seed, index, place, parameters, number="other", at=fails_at),
        payday_rule=random.choice(place.paydays),
        payday_hour=_payday_hour(random, parameters),
        fails_at=fails_at,
        trouble=trouble,
    )


def _payday_hour(random: Dice, parameters: Parameters) -> float:
    """Just after midnight, or when banks book in the morning."""
    if random.random() < parameters.midnight_salary_share:
        return _JUST_AFTER_MIDNIGHT
    return random.choice(_BOOKED_IN_THE_MORNING)
