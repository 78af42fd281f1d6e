"""Policies and rule editions of a run, and their exchange in mid-run. Without it every run would know only the default."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path

from sim_gateway import BOUND_SECONDS, MARGIN_SECONDS
from sqlalchemy import Connection, Engine

from recovery.cases.policy import BackupUse, Policy
from recovery.cases.rules import Rules
from recovery.declines.networks import Cap, NetworkRules
from recovery.runtime.knowledge import Knowledge, load_knowledge, version_of
from recovery.runtime.rulebook import StoredRuleBook

CONFIG = Path(__file__).resolve().parents[2] / "config"


@cache
def shipped() -> Knowledge:
    """The knowledge in config/, read once per process."""
    return load_knowledge(CONFIG)


def varied(dice: random.Random) -> Knowledge:
    """A knowledge of one seed: sometimes as shipped, sometimes with a tighter policy and tighter networks."""
    known = shipped()
    policy = known.policy
    if dice.random() < 0.6:
        policy = replace(
            policy,
            name=f"varied{dice.randrange(1000)}",
            horizon_days=dice.choice((3, 7, 14, 21)),
            silent_attempts_max=dice.choice((1, 2, 3, 5, 8)),
            jitter_minutes=dice.choice((0, 0, 45)),
            review_days=dice.choice((1, 3)),
            unsent_max=dice.choice((2, 8)),
            dunning=replace(policy.dunning, wait_days=dice.choice((2, 14)), ask_reason_by_email=dice.random() < 0.5),
            cards=replace(
                policy.cards,
                backup=dice.choice(tuple(BackupUse)),
                backups_max=dice.choice((1, 2, 4)),
                make_default=dice.random() < 0.5,
                newer_default=dice.random() < 0.5,
                customer_only_countries=dice.choice((("IN",), ("IN",), ("IN", "DE"), ())),
            ),
        )
    return with_policy(_tighter(known, dice), policy)


def with_policy(known: Knowledge, policy: Policy) -> Knowledge:
    """The same knowledge under another policy."""
    return replace(known, policy=policy, policy_version=version_of(policy))


def _tighter(known: Knowledge, dice: random.Random) -> Knowledge:
    if dice.random() < 0.5:
        return known
    cap = Cap(
        tries_max=dice.choice((2, 3, 5)), window_hours=dice.choice((72, 720, 720)), per_amount=dice.random() < 0.5
    )
    packs = [replace(pack, caps=(*pack.caps, cap)) for pack in known.networks.packs]
    return replace(known, networks=NetworkRules(packs=packs))


def next_edition(known: Knowledge, dice: random.Random, at: date) -> Knowledge:
    """A deployment in mid-run: a new policy for new cases, new network editions for everybody from a date on."""
    changed = varied(dice)
    cap = Cap(tries_max=dice.choice((2, 4, 15)), window_hours=720, per_amount=True)
    fresh = [
        replace(
            known.networks.in_force(brand, _noon(at)), edition=f"{at.isoformat()}-sim", in_force_from=at, caps=(cap,)
        )
        for brand in ("visa", "mastercard", "other")
    ]
    kept = [pack for pack in known.networks.packs if pack.in_force_from != at]
    return replace(changed, networks=NetworkRules(packs=[*kept, *fresh]))


def _noon(at: date) -> datetime:
    return datetime.combine(at, time(12), tzinfo=UTC)


class Shelf:
    """The rule book of the door, whose edition can be exchanged while cases are open."""

    def __init__(self, database: Engine, knowledge: Knowledge, machine_now: datetime) -> None:
        self._database = database
        self.put(knowledge, machine_now)

    def put(self, knowledge: Knowledge, machine_now: datetime) -> None:
        """Take an edition into use, as a restarted process would."""
        self.knowledge = knowledge
        self._book = StoredRuleBook(knowledge, settle_seconds=BOUND_SECONDS + MARGIN_SECONDS)
        self._book.keep_current(self._database, machine_now=machine_now)
        self.current = self._book.current

    def rules_for(self, tx: Connection, version: str) -> Rules:
        """The rules of a case pinned on a version."""
        return self._book.rules_for(tx, version)
