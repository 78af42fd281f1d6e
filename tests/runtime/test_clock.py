"""One business clock for several processes; real time beside it."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from freezegun import freeze_time

from recovery.runtime.clock import (
    ClockNotSet,
    ClockWentBackwards,
    SharedClock,
    clock_from,
    machine_now,
    system_clock,
)

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


def test_without_a_file_business_time_is_machine_time() -> None:
    assert clock_from(None) is system_clock
    with freeze_time(NOON):
        assert system_clock.now() == machine_now() == NOON
    assert machine_now().utcoffset() == timedelta(0)


def test_unset_clock_says_so(tmp_path: Path) -> None:
    with pytest.raises(ClockNotSet, match="clock"):
        SharedClock(tmp_path / "clock").now()


def test_every_opening_of_the_file_sees_the_change(tmp_path: Path) -> None:
    setter, reader = SharedClock(tmp_path / "clock"), clock_from(tmp_path / "clock")
    at = NOON + timedelta(microseconds=1)
    setter.set(at)
    assert reader.now() == at
    assert reader.now().tzinfo is UTC
    assert SharedClock(tmp_path / "clock").now() == at
    setter.set(at.astimezone(timezone(timedelta(hours=5))))  # the same instant is no step back


def test_another_process_reads_it(tmp_path: Path) -> None:
    SharedClock(tmp_path / "clock").set(NOON)
    code = (
        "import sys; from pathlib import Path; from recovery.runtime.clock import SharedClock;"
        "print(SharedClock(Path(sys.argv[1])).now().isoformat())"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    printed = subprocess.check_output([sys.executable, "-c", code, tmp_path / "clock"], env=env, text=True)
    assert printed.strip() == NOON.isoformat()


def test_never_backwards_and_never_naive(tmp_path: Path) -> None:
    clock = SharedClock(tmp_path / "clock")
    clock.set(NOON)
    with pytest.raises(ClockWentBackwards):
        SharedClock(tmp_path / "clock").set(NOON - timedelta(microseconds=1))
    with pytest.raises(ValueError, match="naive"):
        clock.set(NOON.replace(tzinfo=None))
    with pytest.raises(ClockWentBackwards):
        SharedClock(tmp_path / "other").set(datetime(1969, 1, 1, tzinfo=UTC))
    assert clock.now() == NOON


def test_reader_never_sees_half_of_a_change(tmp_path: Path) -> None:
    setter, reader = SharedClock(tmp_path / "clock"), SharedClock(tmp_path / "clock")
    # All bytes but the highest change with each step, so that a torn read would lie outside the steps.
    step = timedelta(microseconds=0x01_01_01_01_01_01)
    steps = [NOON + turn * step for turn in range(200)]
    setter.set(steps[0])
    seen: set[datetime] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(reader.now())

    thread = threading.Thread(target=read)
    thread.start()
    for at in steps[1:]:
        setter.set(at)
    done.set()
    thread.join()
    assert seen <= set(steps)
    assert seen
