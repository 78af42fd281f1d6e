"""How an issuer words a refusal: codes with noise, and advice that is true when it is given.

Without advice that follows the truth, an engine that obeys it could not be told from one that does not.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

from recovery.simulation.answers import Answer, Authorization, decline
from recovery.simulation.world.dice import dice, drawn
from recovery.simulation.world.parameters import Cause, Parameters
from recovery.simulation.world.paydays import paydays
from recovery.simulation.world.people import Person
from recovery.simulation.world.troubles import CODES
from recovery.values import replace

# Mastercard's "not before" advice codes and their hours, as its processors publish them.
_NOT_BEFORE = (("24", 1), ("25", 24), ("26", 48), ("27", 96), ("28", 144), ("29", 192), ("30", 240))


def worded(seed: int, parameters: Parameters, person: Person, question: Authorization) -> Answer:
    """The refusal of one authorisation."""
    card = question.card
    random = dice(seed, f"words/{card.fingerprint}/{int(question.at.timestamp()) // 3600}")
    code = person.trouble.first_code
    if random.random() < parameters.redrawn_code_share:
        code = drawn(random, CODES[person.trouble.cause])
    given = decline(code, brand=card.brand, network_codes=random.random() < parameters.network_code_share)
    advised = card.brand == "mastercard" and random.random() < parameters.advised_share
    if advised and person.trouble.cause is Cause.FUNDS and code == "insufficient_funds":
        return _advising(given, _until_payday(person, question))
    return given


@lru_cache(maxsize=1024)
def _advising(given: Answer, advice: str) -> Answer:
    """The same refusal with an advice. They are few, and each is looked up again by what reads it."""
    return replace(given, network_advice_code=advice)


def _until_payday(person: Person, question: Authorization) -> str:
    """The longest advice that ends before the money comes, else the shortest."""
    coming = next(paydays(person.payday_rule, person.zone, hour=person.payday_hour, since=question.at))
    left = coming - question.at
    fitting = [code for code, hours in _NOT_BEFORE if timedelta(hours=hours) <= left]
    return fitting[-1] if fitting else _NOT_BEFORE[0][0]
