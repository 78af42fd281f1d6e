"""What the card networks may charge for our tries, estimated from their rules. Their bills come through the acquirer, months later, and
name no charge: without an estimate eager retries would look free.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from recovery.declines.networks import Advice, Fee, FeeFor, NetworkRules, RulePack
from recovery.money import Money
from recovery.reporting.table import TOTAL, Column, Kind, Row, Table
from recovery.reporting.views import TITLES, View
from recovery.storage.penalty_queries import Advised, Seen
from recovery.timing.budgets import Use, counted_uses

_GROUP: Final = "Estimate"
_WORDS: Final = {
    FeeFor.WAIT_ADVICE: "advice to wait",
    FeeFor.AFTER_NEVER_AGAIN: "tried after never again",
    FeeFor.BEYOND_CAP: "tried beyond a cap",
}

COLUMNS: Final = (
    Column(
        name="attempts",
        label="Attempts",
        kind=Kind.COUNT,
        group=_GROUP,
        definition="The engine's own attempts in the period that the network's rules name a fee for, by the edition then in force.",
    ),
    Column(
        name="estimated_minor",
        label="Penalties, estimated",
        kind=Kind.MONEY,
        group=_GROUP,
        definition="Estimated: these attempts times the fee of the rule, across a border where that is dearer: the most it can be. "
        "It is on no balance of the gateway and in no net figure of this report.",
    ),
)

Key = tuple[str, FeeFor, str]


def penalties_table(
    advices: Sequence[Advised], tries: Sequence[Seen], span_start: datetime, rules: NetworkRules
) -> Table:
    """Network by network and fee by fee, with a total for each currency of fees."""
    title, key_label, definition = TITLES[View.PENALTIES]
    counts: Counter[Key] = Counter()
    minor: Counter[Key] = Counter()
    for pack, charged_for, number in (*_advised(advices, rules), *_violated(tries, span_start, rules)):
        fee = _fee(pack, charged_for)
        if fee is not None:
            key = (pack.network, charged_for, fee.currency)
            counts[key] += number
            minor[key] += number * max(fee.domestic_minor, fee.cross_border_minor)
    rows = [
        _row(f"{network}: {_WORDS[why]}", currency, counts[network, why, currency], minor[network, why, currency])
        for network, why, currency in sorted(counts)
    ]
    for currency in sorted({currency for *_, currency in counts}):
        mine = [key for key in counts if key[2] == currency]
        if len(mine) > 1:
            rows.append(_row(TOTAL, currency, sum(counts[key] for key in mine), sum(minor[key] for key in mine)))
    return Table(
        name=View.PENALTIES, title=title, key_label=key_label, definition=definition, columns=COLUMNS, rows=tuple(rows)
    )


def least_tries(rules: NetworkRules) -> tuple[int, dict[tuple[str, str], int], set[str]]:
    """The smallest cap of all packs, those by brand and issuer's country, and every code that forbids another try in any edition."""
    caps: dict[tuple[str, str], int] = {}
    never: set[str] = set()
    for pack in rules.packs:
        for country in ("*", *(country for region in pack.regional for country in region.countries)):
            here = pack.in_country(country)
            for brand in pack.brands:
                known = caps.get((brand, country), 1000)
                caps[brand, country] = min([known, *(cap.tries_max for cap in here.caps)])
            listed = (here.decline_codes, here.advice_codes)
            never |= {code for codes in listed for code, rule in codes.items() if rule.advice is Advice.NEVER_AGAIN}
    return min(caps.values(), default=1000), caps, never


def _advised(advices: Sequence[Advised], rules: NetworkRules) -> Iterator[tuple[RulePack, FeeFor, int]]:
    for one in advices:
        pack = rules.in_force(one.brand, one.at, one.country)
        rule = pack.advice_codes.get(one.code)
        if rule is not None and rule.advice is Advice.WAIT:
            yield pack, FeeFor.WAIT_ADVICE, one.attempts


def _violated(tries: Sequence[Seen], since: datetime, rules: NetworkRules) -> Iterator[tuple[RulePack, FeeFor, int]]:
    """Each of our tries at most once: the network that forbade the card does not count as well how often it was tried."""
    for _, of_card in groupby(tries, key=lambda one: one.budget_key):
        before: list[Seen] = []
        for one in of_card:
            if one.ours and one.at >= since:
                pack = rules.in_force(one.brand, one.at, one.country)
                why = _broken(one, before, pack)
                if why is not None:
                    yield pack, why, 1
            before.append(one)


def _broken(one: Seen, before: Sequence[Seen], pack: RulePack) -> FeeFor | None:
    for earlier in (each for each in before if each.decline_code or each.advice_code):
        found = (pack.decline_codes.get(earlier.decline_code or ""), pack.advice_codes.get(earlier.advice_code or ""))
        if any(rule is not None and rule.advice is Advice.NEVER_AGAIN for rule in found):
            return FeeFor.AFTER_NEVER_AGAIN
    # Fewer tries than a cap allows, whenever they were, cannot be beyond it.
    tight = [cap for cap in pack.caps if len(before) >= cap.tries_max]
    if not tight:
        return None
    uses = [
        Use(
            at=each.at,
            amount=Money(minor=each.amount_minor, currency=each.currency),
            declined=each.declined,
            by_customer=each.by_customer,
        )
        for each in before
    ]
    amount = Money(minor=one.amount_minor, currency=one.currency)
    for cap in tight:
        window = cap.window_hours * 3600
        counted = [at for at in counted_uses(cap, uses, amount) if (one.at - at).total_seconds() < window]
        if len(counted) >= cap.tries_max:
            return FeeFor.BEYOND_CAP
    return None


def _fee(pack: RulePack, charged_for: FeeFor) -> Fee | None:
    return next((fee for fee in pack.fees if fee.charged_for is charged_for), None)


def _row(key: str, currency: str, attempts: int, minor: int) -> Row:
    return Row(key=key, currency=currency, figures={"attempts": attempts, "estimated_minor": minor})
