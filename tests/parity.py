"""What the engine decided about a world's customers, and what the backtest decides about the same ones."""

from datetime import datetime
from typing import Any

from building import CONFIG
from sqlalchemy import Engine

from recovery.cases.case import Case
from recovery.runtime.knowledge import load_knowledge, rules_of
from recovery.simulation.backtest.lives import Scene, play
from recovery.simulation.backtest.policies import EnginePolicy
from recovery.simulation.world import World
from recovery.storage.case_store import case_id_of, cases_of, load_case
from recovery.storage.event_store import event_counts
from recovery.storage.outcome_queries import obligations


def decided_alike(database: Engine, world: World, *, until: datetime) -> None:
    """The world was played to an instant by the engine: every decision that its database holds is the backtest's."""
    expected = _backtested(world, until)
    with database.connect() as tx:
        assert event_counts(tx) == {"waiting": 0, "set_aside": 0}
        real = {case_id_of(name): load_case(tx, cases_of(tx, obligation=name)[0]) for name in obligations(tx)}
    assert set(real) == set(expected)
    assert len({case.state for case in real.values()}) >= 2
    for case_id, case in real.items():
        assert _decided(case) == _decided(expected[case_id]), case_id


def _backtested(world: World, until: datetime) -> dict[str, Case]:
    rules = rules_of(load_knowledge(CONFIG))
    found = {}
    for person in world.people:
        scene = Scene(world, person)
        policy = EnginePolicy(scene, rules)
        play(scene, policy, until=until)
        assert policy.case is not None
        found[policy.case.id] = policy.case
    return found


def _decided(case: Case) -> dict[str, Any]:
    """Everything that was decided, and when; ids and what only storage knows are left out."""
    return {
        "state": case.state,
        "attempts": [
            (a.number, a.started_at, a.purpose, a.status, a.card.fingerprint, a.card.exp_year, a.signals)
            for a in case.attempts
        ],
        "exhausted": case.exhausted,
        "emailed_at": case.emailed_at,
        "ended_at": case.ended_at,
        "source": case.source,
    }
