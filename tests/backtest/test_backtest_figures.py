"""A comparison that can be trusted: the same cases, figures that add up, an oracle above all."""

import json
import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from building import CONFIG

from recovery.cases.rules import Rules
from recovery.declines.signals import Initiator
from recovery.runtime.cli import main
from recovery.runtime.knowledge import load_knowledge, rules_of, version_of
from recovery.runtime.worlds import START_AT, load_world, world_names
from recovery.simulation.answers import Answer, Verdict, decline
from recovery.simulation.backtest.account import Account, Tried
from recovery.simulation.backtest.breaches import breaches
from recovery.simulation.backtest.compare import NOTHING, ORACLE, OURS, Played, compare, judged, one_life, strategies
from recovery.simulation.backtest.lives import Ending
from recovery.simulation.backtest.many import PART, Plan, backtest
from recovery.simulation.backtest.pairs import Pairs
from recovery.simulation.backtest.policies import STRIPE_RHYTHM
from recovery.simulation.backtest.shown import signals_of
from recovery.simulation.backtest.tally import Tally, wilson
from recovery.simulation.world import World, build_world
from recovery.simulation.world.parameters import Cause


@pytest.fixture(scope="module")
def rules() -> Rules:
    return rules_of(load_knowledge(CONFIG))


def _world(name: str = "mixed", customers: int = 120, seed: int = 3) -> World:
    return build_world(seed=seed, customers=customers, days=60, start_at=START_AT, parameters=load_world(CONFIG, name))


@pytest.mark.parametrize("name", ["mixed", "contrary", "payday"])
def test_the_oracle_is_never_beaten_and_nothing_is_the_floor(rules: Rules, name: str) -> None:
    for lives in compare(_world(name), {OURS: rules}):
        by_name = {played.strategy: played for played in lives}
        assert len(by_name) == 8
        assert len({(played.cause, played.dollars) for played in lives}) == 1
        won = [played for played in lives if played.paid_days is not None]
        assert not won or by_name[ORACLE].paid_days is not None
        assert by_name[NOTHING].tries == by_name[NOTHING].emails == by_name[NOTHING].breaches == 0


def test_our_policy_breaks_no_network_rule_and_writes_once(rules: Rules) -> None:
    for lives in compare(_world("outages"), {OURS: rules}):
        ours = next(played for played in lives if played.strategy == OURS)
        assert ours.breaches == 0
        assert ours.emails <= 1


def test_the_figures_do_not_depend_on_the_processes(rules: Rules) -> None:
    plan = Plan(
        parameters=load_world(CONFIG, "mixed"), seed=5, cases=PART + 30, start_at=START_AT, policies={OURS: rules}
    )
    *_, (alone, one) = backtest(plan, processes=1)
    *_, (together, two) = backtest(plan, processes=2)
    assert alone == together == PART + 30
    assert one == two
    assert one[OURS].paid > one[NOTHING].paid


def test_a_fixed_ladder_keeps_its_days() -> None:
    world = _world(customers=60)
    make = strategies({})[STRIPE_RHYTHM.name]
    for person in world.people:
        ending = one_life(world, person, make)
        days = [(tried.charge.created_at - person.fails_at) / timedelta(days=1) for tried in ending.tried]
        expected = [1.9 * (n + 1) for n in range(8)][: len(days)]
        assert days[:8] == pytest.approx(expected, abs=0.001)
        assert len(ending.mailed_at) == (len(days) >= 8 and not ending.tried[7].approved)


def _tried(world: World, days: float, answer: Answer) -> Tried:
    person = world.people[0]
    account = Account(world, person)
    at = person.fails_at + timedelta(days=days)
    made = account.charge(at, person.card, initiator=Initiator.ENGINE)
    return Tried(charge=made.charge, answer=answer, card=made.card)


def test_breaches_are_counted_as_networks_charge_for_them(rules: Rules) -> None:
    world = next(w for seed in range(50) if (w := _world(customers=1, seed=seed)).people[0].card.brand == "visa")
    lost, funds = decline("lost_card"), decline("insufficient_funds")
    assert breaches([_tried(world, 0, funds), _tried(world, 3, funds)], rules.networks) == 0
    assert breaches([_tried(world, 0, lost), _tried(world, 3, lost), _tried(world, 4, lost)], rules.networks) == 2
    often = [_tried(world, hours / 24, funds) for hours in range(25)]
    assert breaches(often, rules.networks) == 5
    daily = [_tried(world, days, funds) for days in range(10)]
    for country, beyond in (("BR", 2), ("US", 0)):  # Mastercard's eight tries in 30 days are Brazil's alone
        cards = [replace(one, card=replace(one.card, brand="mastercard", country=country)) for one in daily]
        assert breaches(cards, rules.networks) == beyond
    blocked = Answer(verdict=Verdict.BLOCKED, decline_code="generic_decline", reason="previously_declined_do_not_retry")
    assert breaches([_tried(world, 0, lost), _tried(world, 3, blocked)], rules.networks) == 0
    assert not signals_of(blocked).reached_network


def test_money_that_goes_back_is_not_kept(rules: Rules) -> None:
    world = _world(customers=300)
    given = replace(world.parameters, refund_full_share=0.0, refund_part_share=1.0, dispute_share=0.0)
    lost = replace(
        world.parameters, refund_full_share=0.0, refund_part_share=0.0, dispute_share=1.0, dispute_won_share=0.0
    )
    for parameters, least, most in ((given, 0.5, 0.75), (lost, 0.0, 0.0)):
        changed = replace(world, parameters=parameters)
        for person in world.people[:40]:
            ending = one_life(changed, person, strategies({})[STRIPE_RHYTHM.name])
            played = judged("x", changed, person, ending, rules.networks)
            assert least <= played.kept <= most if ending.won else played.kept == 0


def test_the_page_tells_of_the_policy_as_it_is() -> None:
    """Renew it with: recovery backtest --all-worlds --cases 3000 --seed 7 --page docs/backtest.md."""
    told = (CONFIG.parent / "docs" / "backtest.md").read_text(encoding="utf-8")
    assert f"policy `{version_of(load_knowledge(CONFIG).policy)}`" in told
    assert all(f"## {name}\n" in told for name in world_names(CONFIG))


def test_intervals_are_those_of_the_books() -> None:
    share = wilson(8, 10)
    assert (share.value, share.low, share.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=0.0005)
    assert wilson(0, 0).high == 1.0
    assert Tally().by_value.value == 0.0


def test_an_ending_without_a_win_has_none() -> None:
    assert Ending(charges=(), mailed_at=(), cancelled=False).won is None


def _run(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["backtest", *words])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_command_writes_table_json_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "eager.toml"
    shipped = (CONFIG / "recovery.toml").read_text(encoding="utf-8")
    policy.write_text(shipped.replace('name = "default"', 'name = "eager"'), encoding="utf-8")
    options = ["--world", "hours", "--cases", "40", "--processes", "1", "--policy", str(policy)]
    files = ["--json", str(tmp_path / "f.json"), "--picture", str(tmp_path / "f.svg"), "--page", str(tmp_path / "p.md")]
    assert _run(*options, *files) == 0
    shown = capsys.readouterr().out
    assert "World “hours”" in shown
    found: dict[str, Any] = json.loads((tmp_path / "f.json").read_text())["worlds"]["hours"]
    assert found[OURS]["cases"] == 40
    # The same content under another name decides alike.
    assert found["eager (eager.toml)"] == found[OURS]
    assert found[ORACLE]["recovered"] >= found[OURS]["recovered"]
    assert found[OURS]["net_value_share"] <= found[OURS]["recovered_value_share"]["value"]
    page = (tmp_path / "p.md").read_text()
    assert f"| **{OURS}** | {100 * found[OURS]['recovered_share']['value']:.1f} ± " in page
    assert f"| hours | {100 * found[OURS]['share_of_oracle']:.1f} |" in page
    assert "http" not in (tmp_path / "f.svg").read_text().replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "").replace("https://matplotlib.org", "")


def test_a_picture_has_to_be_one(tmp_path: Path) -> None:
    assert _run("--picture", str(tmp_path / "f.pdf")) == 2
    assert _run("--world", "atlantis") == 1


def test_what_cannot_be_used_or_written_is_told_before_anything_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "odd.toml"
    shipped = (CONFIG / "recovery.toml").read_text(encoding="utf-8")
    odd = shipped.replace("careful = { tries_max = 5 }", "carefull = { tries_max = 5 }").replace('["IN"]', '["XX"]')
    policy.write_text(odd, encoding="utf-8")
    assert _run("--cases", "40", "--processes", "1", "--policy", str(policy)) == 1
    shown = capsys.readouterr()
    assert "there is no carefull to change" in shown.err
    assert "'XX' is no country" in shown.err
    assert "World" not in shown.out
    for option in ("--json", "--page", "--picture"):
        assert _run("--cases", "40", option, str(tmp_path / "nowhere" / "f.svg")) == 2
        shown = capsys.readouterr()
        assert "does not exist" in shown.err
        assert "World" not in shown.out


def _played(*, won: bool, tries: int, by_try: bool | None = None) -> Played:
    return Played(
        strategy="any",
        cause=Cause.FUNDS,
        dollars=49.0,
        kept=1.0 if won else 0.0,
        paid_days=2.0 if won else None,
        by_try=won if by_try is None else by_try,
        silent=won,
        tries=tries,
        emails=0,
        breaches=0,
    )


def test_a_difference_on_the_same_cases_is_judged_case_by_case() -> None:
    """Both win nearly the same cases: side by side the difference is certain, although each share by itself is not."""
    halves = [Pairs(), Pairs()]
    ours, theirs = Tally(), Tally()
    for number in range(400):
        mine = _played(won=number % 4 != 0, tries=2)
        other = _played(won=number % 4 != 0 and number % 20 != 1, tries=3)
        halves[number % 2].add(mine, other)
        ours.add(mine)
        theirs.add(other, ours=mine)
    halves[0].merge(halves[1])
    assert halves[0] == theirs.pairs
    gap = theirs.pairs.recovered(400)
    assert gap.value == pytest.approx(ours.by_count.value - theirs.by_count.value) == pytest.approx(0.05)
    assert gap.half == pytest.approx(1.96 * math.sqrt(0.05 * 0.95 / 400), rel=0.01)
    assert ours.by_count.low < theirs.by_count.high, "apart they could be the same"
    fewer = theirs.pairs.tries_per_win()
    assert fewer is not None
    assert fewer.value == pytest.approx(2 / 0.75 - 3 / 0.7)
    assert 0 < fewer.half < 0.5
    assert Pairs().tries_per_win() is None
