"""One short round of chaos for every change; ``make chaos MINUTES=10`` plays long ones."""

import threading
from pathlib import Path

from chaos_agent import Agent
from chaos_beside import NoEarlierRelease, earlier, previous_schema
from chaos_judge import judge
from chaos_stack import Scale, end_of, installation


def test_real_processes_are_killed_and_nothing_is_lost_or_charged_twice(tmp_path: Path) -> None:
    """Everything that the long rounds break, once; beside the worker of the previous schema's release, where there is one."""
    beside = None
    try:
        beside = earlier(previous_schema(), tmp_path / "then")
    except NoEarlierRelease as why:
        # Told in the summary by test_chaos_beside.py, too.
        print(f"left out: an earlier release's worker beside this one's: {why}")
    scale = Scale(seed=2, customers=4, days=6, faults={"charge_then_500": 0.1}, beside=beside)
    with installation(tmp_path, scale) as made:
        agent = Agent(made, 2)

        def rage() -> None:
            for name in agent.acts:
                agent.act(name)
                agent.stop.wait(0.3)

        thread = threading.Thread(target=rage)
        thread.start()
        try:
            made.play(end_of(made.scale))
        finally:
            agent.stop.set()
            thread.join()
        agent.count_deaths()
        assert judge(made) == []
        assert agent.kills >= 3
        assert made.world.ledger()["charges"]
        assert made.caught.emails, "in this seed's world a card can only be cured by its holder, who is written to"
        assert agent.done.keys() >= agent.acts.keys()
