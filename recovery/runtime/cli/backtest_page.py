"""The page about what the shipped policy is worth. Without it everybody would have to play thousands of cases to see the figures."""

import math
from collections.abc import Mapping, Sequence

from recovery.simulation.backtest.compare import NOTHING, ORACLE, OURS
from recovery.simulation.backtest.policies import LADDERS
from recovery.simulation.backtest.tally import Tally

Results = Mapping[str, Mapping[str, Tally]]

_HEAD = """# What the policy is worth

<!-- written by `recovery backtest --all-worlds --page docs/backtest.md`; a test tells when the policy has changed since -->

{cases} cases in each of the [worlds](worlds.md), seed {seed}, policy `{version}`. No figure here says what will come back in
your business: the worlds are assumptions that disagree on purpose. The figures say whether one way of trying beats another on the
same customers.

`recovery backtest --all-worlds --cases {cases} --seed {seed}` plays the same cases again.

- **recovered**: paid within 45 days, whoever paid, with the 95 % interval; **value**: the same in money; **net**: without what was
  refunded or lost in disputes afterwards.
- **of oracle**: part of what somebody wins who knows the world's truth. **tries a win**: charges sent for each that brought the money.
- **fees**: tries that a network would charge for. **emails**: a case. **days**: median from the failure to the money.
- **kept**: customers saved from involuntary churn, against doing nothing, in percent of all cases.
- **silently**: brought by a try before any email, in percent of all cases.
- A ladder tries on its days whatever the decline said and writes one email after its last try. The policy writes one email too, not
  the letters of its campaigns, so that the difference is timing.
- **ahead by**: the difference on the same cases, with its 95 % interval.
"""

_COLUMNS = (
    *("strategy", "recovered %", "silently %", "value %", "net %", "of oracle %", "tries a win"),
    *("fees", "emails", "days", "kept %"),
)


def page(results: Results, *, cases: int, seed: int, version: str) -> str:
    """The page in Markdown."""
    parts = [_HEAD.format(cases=f"{cases:,}".replace(",", ""), seed=seed, version=version), _verdicts(results)]
    for world, tallies in results.items():
        parts.append(f"## {world}\n\n{_figures(tallies)}\n\n{_missed(tallies)}\n")
    return "\n".join(parts)


def _verdicts(results: Results) -> str:
    """Where the policy stands against the best of the fixed ladders, world by world."""
    rows = []
    for world, tallies in results.items():
        ours, ladders = tallies[OURS], [tallies[ladder.name] for ladder in LADDERS]
        best = max(ladders, key=lambda ladder: ladder.paid)
        thriftiest = min(ladders, key=lambda ladder: ladder.tries_per_win or math.inf)
        oracle = tallies[ORACLE].paid or 1
        more, fewer = best.pairs.recovered(oracle), thriftiest.pairs.tries_per_win()
        rows.append(
            (
                world,
                f"{100 * ours.paid / oracle:.1f}",
                f"{100 * best.paid / oracle:.1f}",
                f"{100 * more.value:.1f} ± {100 * more.half:.1f}",
                f"{ours.tries_per_win or 0:.2f}",
                f"{thriftiest.tries_per_win or 0:.2f}",
                f"{-fewer.value:.2f} ± {fewer.half:.2f}" if fewer else "–",
            )
        )
    heads = (
        "world",
        *("ours, % of oracle", "best ladder, % of oracle", "ahead by"),
        *("ours, tries a win", "thriftiest ladder, tries a win", "ahead by"),
    )
    return f"## Against the fixed ladders\n\n{_table(heads, rows)}\n"


def _figures(tallies: Mapping[str, Tally]) -> str:
    nothing, oracle = tallies[NOTHING], tallies[ORACLE]
    rows = []
    for name, tally in tallies.items():
        share, value, days = tally.by_count, tally.by_value, tally.days_to_money
        rows.append(
            (
                f"**{name}**" if name == OURS else name,
                f"{100 * share.value:.1f} ± {50 * (share.high - share.low):.1f}",
                f"{100 * tally.silent / tally.cases:.1f}",
                f"{100 * value.value:.1f} ± {50 * (value.high - value.low):.1f}",
                f"{100 * tally.net_value:.1f}",
                f"{100 * tally.paid / (oracle.paid or 1):.1f}",
                f"{tally.tries_per_win:.2f}" if tally.tries_per_win is not None else "–",
                f"{tally.breaches}" if name != ORACLE else "–",
                f"{tally.emails / tally.cases:.2f}",
                f"{days:.1f}" if days is not None else "–",
                f"{100 * (tally.paid - nothing.paid) / tally.cases:.1f}",
            )
        )
    return _table(_COLUMNS, rows)


def _missed(tallies: Mapping[str, Tally]) -> str:
    """Where the policy loses against the oracle, by the real cause."""
    ours, oracle = tallies[OURS], tallies[ORACLE]
    rows = []
    for cause, (cases, won) in sorted(oracle.causes.items(), key=lambda row: -row[1][0]):
        mine = ours.causes[cause][1]
        rows.append(
            (
                cause.value,
                f"{100 * cases / oracle.cases:.1f}",
                f"{100 * mine / cases:.0f}",
                f"{100 * won / cases:.0f}",
                f"{100 * (won - mine) / oracle.cases:.2f}",
            )
        )
    heads = ("real cause", "% of cases", "ours wins %", "the oracle %", "missed, in 100 cases of all")
    return _table(heads, rows)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, tuple(rule), *rows))
