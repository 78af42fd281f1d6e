"""The worlds' files: complete, checked, and really different."""

from pathlib import Path

import pytest
from building import CONFIG

from recovery.runtime.cli import main
from recovery.runtime.knowledge import ConfigInvalid
from recovery.runtime.worlds import DEFAULT_WORLD, START_AT, load_world, load_worlds, world_names
from recovery.simulation.backtest.portrait import portray
from recovery.simulation.world import Parameters, build_world
from recovery.simulation.world.parameters import Cause


def test_the_file_of_the_default_world_names_every_value() -> None:
    assert load_world(CONFIG, DEFAULT_WORLD) == Parameters()
    written = (CONFIG / "worlds" / "mixed.toml").read_text(encoding="utf-8")
    assert [name for name in Parameters.__slots__ if name not in written] == []


def test_worlds_are_named_after_their_files_and_differ() -> None:
    worlds = load_worlds(CONFIG)
    assert [world.name for world in worlds] == world_names(CONFIG)
    assert len(worlds) >= 5
    assert all(world.summary for world in worlds)
    assert len({repr(world) for world in worlds}) == len(worlds)


def test_mistakes_in_a_world_are_all_told(tmp_path: Path) -> None:
    file = tmp_path / "odd.toml"
    file.write_text("honor_base = 1.5\nhonour = 1\n[causes]\nfunds = 0.5\nhunger = 0.5\n")
    with pytest.raises(ConfigInvalid) as raised:
        load_world(CONFIG, str(file))
    assert all(word in str(raised.value) for word in ("honor_base", "honour", "hunger"))
    with pytest.raises(ConfigInvalid, match="there is no world 'atlantis'"):
        load_world(CONFIG, "atlantis")


def test_a_delay_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="updater_days"):
        Parameters(updater_days=(3.0, 1.0))


def test_a_range_by_order_of_magnitude_cannot_begin_at_nothing() -> None:
    with pytest.raises(ValueError, match="outage_hours: must begin above 0"):
        Parameters(outage_hours=(0.0, 8.0))


def test_a_part_of_a_world_is_the_same_as_in_the_whole() -> None:
    whole = build_world(seed=4, customers=30, days=30, start_at=START_AT)
    part = build_world(seed=4, customers=10, days=30, start_at=START_AT, first=20)
    assert part.people == whole.people[20:]


def test_portraits_show_what_a_world_is_about() -> None:
    shown = {
        name: portray(
            build_world(seed=2, customers=250, days=60, start_at=START_AT, parameters=load_world(CONFIG, name))
        )
        for name in ("hours", "flat")
    }
    night, noon = (sum(shown["hours"].by_hour[hours]) for hours in (slice(0, 4), slice(11, 15)))
    assert noon > 1.3 * night
    night, noon = (sum(shown["flat"].by_hour[hours]) for hours in (slice(0, 4), slice(11, 15)))
    assert noon == pytest.approx(night, rel=0.2)
    assert all(won <= share for share, won in shown["flat"].causes.values())
    assert shown["hours"].causes[Cause.LOST][1] == 0


def test_the_worlds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["worlds", "list"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert [name for name in world_names(CONFIG) if name not in shown] == []


def test_the_published_page_shows_every_world() -> None:
    docs = CONFIG.parent / "docs"
    page = (docs / "worlds.md").read_text(encoding="utf-8")
    for world in load_worlds(CONFIG):
        assert f"## {world.name}\n" in page
        assert world.summary in page
        assert (docs / "worlds" / f"{world.name}.svg").is_file()
