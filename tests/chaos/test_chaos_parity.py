"""The real processes, with nothing broken: web, two workers, two beats and the sandbox decide as the backtest does."""

import os
from pathlib import Path

from chaos_stack import CONFIG, Scale, end_of, installation
from parity import decided_alike

from recovery.runtime.worlds import START_AT, load_world
from recovery.simulation.world import build_world

CUSTOMERS = int(os.environ.get("RECOVERY_PARITY_CUSTOMERS", "60"))
"""`make parity` plays more."""

DAYS = 40
LEASE_SECONDS = 30.0
"""As in production: a machine that is slow for seconds must not look like a worker that died."""


def test_real_processes_decide_as_the_backtest(tmp_path: Path) -> None:
    scale = Scale(seed=7, customers=CUSTOMERS, days=DAYS, lease_seconds=LEASE_SECONDS)
    mixed = load_world(CONFIG, "mixed")
    world = build_world(seed=7, customers=CUSTOMERS, days=DAYS, start_at=START_AT, parameters=mixed)
    with installation(tmp_path, scale) as made:
        made.play(end_of(scale))
        decided_alike(made.database, world, until=end_of(scale))
