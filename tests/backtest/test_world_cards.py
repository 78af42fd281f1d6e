"""A world full of dead, renewed and reissued cards, played through the decisions of production."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from building import CONFIG

from recovery.cases.case import Case, Purpose
from recovery.cases.lifecycle import Source, State
from recovery.declines.classify import NEEDS_FRESH_CARD
from recovery.runtime.knowledge import load_knowledge, rules_of
from recovery.runtime.worlds import START_AT, load_world
from recovery.simulation.backtest.lives import Ending, Scene, life_ends_at, play
from recovery.simulation.backtest.policies import EnginePolicy
from recovery.simulation.world.build import build_world
from recovery.simulation.world.parameters import Cause
from recovery.simulation.world.people import Person

CUSTOMERS = 400
OPENS = timedelta(days=4)
"""Hours without risk come again within a long weekend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """One life that is over."""

    person: Person
    case: Case
    ending: Ending

    @property
    def fresh_at(self) -> datetime | None:
        """When the updater knew of usable new details, if that was within the rhythm and before anything else ended the case."""
        trouble = self.person.trouble
        at = trouble.updated_at
        if at is None or trouble.renewed is None or trouble.renewed.brand != self.person.card.brand:
            return None
        if self.person.home.place.country == "IN":
            return None  # news of a card that is charged only with its holder
        over = self.case.ended_at or at + 2 * OPENS
        if self.case.source is Source.REFRESHED_CARD:
            over += OPENS  # it is what ended the case
        return at if self.person.fails_at < at < min(over - OPENS, self.person.fails_at + timedelta(days=13)) else None

    @property
    def first_code(self) -> str | None:
        """What the renewal itself was declined for."""
        signals = self.ending.charges[0].charge.signals
        return signals.decline_code if signals else None


@cache
def lives() -> tuple[Lived, ...]:
    known, causes = rules_of(load_knowledge(CONFIG)), dict.fromkeys(Cause, 0.0)
    causes |= {Cause.EXPIRED: 0.3, Cause.REISSUED: 0.4, Cause.CLOSED: 0.1, Cause.LOST: 0.1, Cause.FUNDS: 0.1}
    wish = replace(load_world(CONFIG, "mixed"), causes=causes, brand_change_share=0.3, token_share=0.5)
    world = build_world(seed=11, customers=CUSTOMERS, days=40, start_at=START_AT, parameters=wish)
    return tuple(_lived(world, person, known) for person in world.people)


def _lived(world: object, person: Person, known: object) -> Lived:
    scene = Scene(world, person)  # type: ignore[arg-type]
    policy = EnginePolicy(scene, known)  # type: ignore[arg-type]
    ending = play(scene, policy, until=life_ends_at(person))
    assert policy.case is not None
    return Lived(person=person, case=policy.case, ending=ending)


def _classes(lived: Lived) -> Iterator[tuple[object, bool]]:
    for number, attempt in enumerate(lived.case.attempts):
        before = [a for a in lived.case.attempts[:number] if a.decline_class in NEEDS_FRESH_CARD]
        yield attempt, any(attempt.card.same_details(a.card) for a in before)


def test_no_attempt_on_details_known_to_be_dead() -> None:
    for lived in lives():
        assert not any(again for _, again in _classes(lived)), lived.case.attempts
        tried = lived.case.attempts
        first = lived.ending.charges[0].charge.card
        hard = lived.first_code in ("expired_card", "invalid_account", "lost_card", "stolen_card")
        assert not (hard and any(a.card.same_details(first) for a in tried)), tried


def test_every_card_that_the_updater_knew_was_used_within_the_rhythm() -> None:
    known = [lived for lived in lives() if lived.fresh_at is not None]
    assert len(known) > 40
    for lived in known:
        at, renewed = lived.fresh_at, lived.person.trouble.renewed
        assert at is not None
        assert renewed is not None
        used = [a.started_at for a in lived.case.attempts if a.card.fingerprint == renewed.fingerprint]
        fresh = [used_at for used_at in used if used_at >= at]
        assert fresh, (lived.person.index, lived.case.state)
        assert fresh[0] <= at + OPENS


def test_nobody_is_written_to_whose_card_could_be_refreshed_silently() -> None:
    silent = [x for x in lives() if x.fresh_at is not None and x.case.source is Source.REFRESHED_CARD]
    assert len(silent) > 30
    waits = (
        "expired_card",
        "invalid_account",
        "invalid_expiry_year",
        "incorrect_number",
        "new_account_information_available",
    )
    for lived in silent:
        if lived.first_code in waits:
            assert lived.ending.mailed_at == (), (lived.first_code, lived.fresh_at, lived.case)


def test_a_card_of_another_brand_is_charged_only_for_a_customer_who_chose_it() -> None:
    changed = [x for x in lives() if x.person.trouble.renewed and x.person.trouble.renewed.brand != x.person.card.brand]
    assert len(changed) > 20
    for lived in changed:
        renewed = lived.person.trouble.renewed
        assert renewed is not None
        assert all(a.card.fingerprint != renewed.fingerprint for a in lived.case.attempts)


def test_a_passed_expiry_alone_is_no_dead_card() -> None:
    funds = [x for x in lives() if x.person.trouble.cause is Cause.FUNDS and _passed(x.person)]
    assert len(funds) > 5
    assert any(x.case.state is State.RECOVERED and x.case.source is Source.SILENT_RETRY for x in funds)


def _passed(person: Person) -> bool:
    return (person.card.exp_year, person.card.exp_month) < (person.fails_at.year, person.fails_at.month)


def test_a_card_saved_in_the_portal_is_charged_at_once_whichever_card_the_subscription_names() -> None:
    chosen = [x for x in lives() if any(a.purpose is Purpose.CUSTOMER_CARD for a in x.case.attempts)]
    assert {x.person.names_own_card for x in chosen} == {True, False}
