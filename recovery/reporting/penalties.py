"""What the card networks may charge for our tries, estimated from their rules. Their bills come through the acquirer, months later, and
name no charge: without an estimate eager retries would look free.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, groupby, product
from typing import Final

from sqlalchemy import Connection

from recovery.declines.networks import OTHER_BRANDS, Advice, Fee, FeeFor, NetworkRules, RulePack
from recovery.money import Money
from recovery.reporting.table import TOTAL, Kind, Row, Table, column
from recovery.reporting.views import View, table_of
from recovery.storage.penalty_queries import (
    LOOKED_BACK,
    UNREACHED,
    Advised,
    Costly,
    Seen,
    TriedLine,
    advised,
    looked_at,
    tried_lines,
)
from recovery.storage.report_sums import Span
from recovery.timing.budgets import Use, beyond

_GROUP: Final = "Estimate"
_WORDS: Final = {
    FeeFor.WAIT_ADVICE: "advice to wait",
    FeeFor.AFTER_NEVER_AGAIN: "tried after never again",
    FeeFor.BEYOND_CAP: "tried beyond a cap",
}

COLUMNS: Final = (
    column(
        "attempts",
        "Attempts",
        Kind.COUNT,
        _GROUP,
        "The engine's own attempts in the period that the network's rules name a fee for, by the edition then in force; what happened "
        "on the card in the 31 days before each is looked at.",
    ),
    column(
        "estimated_minor",
        "Penalties, estimated",
        Kind.MONEY,
        _GROUP,
        "Estimated: these attempts times the fee of the rule, across a border where that is dearer: the most it can be. "
        "It is on no balance of the gateway and in no net figure of this report.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """What a network may charge, and what for: one of our attempts, or as many as carried one advice on one day."""

    network: str
    charged_for: FeeFor
    fee: Fee
    behind: Seen | Advised

    @property
    def attempts(self) -> int:
        """How many attempts it is for."""
        return self.behind.attempts if isinstance(self.behind, Advised) else 1

    @property
    def minor(self) -> int:
        """The most it can be, in minor units of the fee's currency."""
        return self.attempts * max(self.fee.domestic_minor, self.fee.cross_border_minor)

    @property
    def key(self) -> str:
        """The row that it is in."""
        return f"{self.network}: {_WORDS[self.charged_for]}"


def penalties(tx: Connection, span: Span, rules: NetworkRules) -> list[Penalty]:
    """All there are in a span."""
    tries = looked_at(tx, span, costly(rules))
    found: Iterator[tuple[RulePack, FeeFor, Seen | Advised]] = chain(
        _advised(advised(tx, span, _wait_codes(rules)), rules), _violated(tries, span.start, rules)
    )
    return [
        Penalty(network=pack.network, charged_for=why, fee=fee, behind=behind)
        for pack, why, behind in found
        if (fee := _fee(pack, why, behind)) is not None
    ]


def attempts_behind(
    tx: Connection, span: Span, found: Sequence[Penalty], *, limit: int, offset: int
) -> list[TriedLine]:
    """The attempts that some penalties of a span are for, newest first."""
    tries = [one.behind for one in found if isinstance(one.behind, Seen)]
    advices = [one.behind for one in found if isinstance(one.behind, Advised)]
    return tried_lines(tx, span, [one.id for one in tries], advices, limit=limit, offset=offset)


def penalties_table(found: Sequence[Penalty]) -> Table:
    """Network by network and fee by fee, with a total for each currency of fees."""
    rows = []
    for currency in sorted({one.fee.currency for one in found}):
        mine = [one for one in found if one.fee.currency == currency]
        keys = sorted({one.key for one in mine})
        rows += [_row(key, currency, [one for one in mine if one.key == key]) for key in keys]
        if len(keys) > 1:
            rows.append(_row(TOTAL, currency, mine))
    return table_of(View.PENALTIES, COLUMNS, rows)


def costly(rules: NetworkRules) -> Costly:
    """What may cost a fee by any edition. Networks without a fee for it have neither caps nor codes here."""
    caps: dict[tuple[str, str], int] = {}
    never: set[str] = set()
    for pack in rules.packs:
        fees = {fee.charged_for for fee in pack.fees}
        if FeeFor.BEYOND_CAP in fees:
            for countries, extra in ((("*",), pack.caps), *((one.countries, one.caps) for one in pack.regional)):
                least = min((cap.tries_max for cap in extra), default=UNREACHED)
                caps |= {place: min(least, caps.get(place, UNREACHED)) for place in product(pack.brands, countries)}
        if FeeFor.AFTER_NEVER_AGAIN in fees:
            places = [(pack.decline_codes, pack.advice_codes)]
            places += [(region.decline_codes, region.advice_codes) for region in pack.regional]
            listed = chain.from_iterable(codes.items() for codes in chain.from_iterable(places))
            never |= {code for code, rule in listed if rule.advice is Advice.NEVER_AGAIN}
    unlisted = min((tries for (brand, _), tries in caps.items() if brand == OTHER_BRANDS), default=UNREACHED)
    return Costly(caps=caps, unlisted=unlisted, never=never)


def _wait_codes(rules: NetworkRules) -> set[str]:
    """Every code that advises to wait, and costs a fee, in any edition, anywhere."""
    found: set[str] = set()
    for pack in rules.packs:
        costs = [fee.codes for fee in pack.fees if fee.charged_for is FeeFor.WAIT_ADVICE]
        for codes in (pack.advice_codes, *(region.advice_codes for region in pack.regional)):
            waits = {code for code, rule in codes.items() if rule.advice is Advice.WAIT}
            found |= {code for code in waits if any(not listed or code in listed for listed in costs)}
    return found


def _advised(advices: Sequence[Advised], rules: NetworkRules) -> Iterator[tuple[RulePack, FeeFor, Advised]]:
    for one in advices:
        pack = rules.in_force(one.brand, one.at, one.country)
        rule = pack.advice_codes.get(one.code)
        if rule is not None and rule.advice is Advice.WAIT:
            yield pack, FeeFor.WAIT_ADVICE, one


def _violated(tries: Sequence[Seen], since: datetime, rules: NetworkRules) -> Iterator[tuple[RulePack, FeeFor, Seen]]:
    """Each of our tries at most once: the network that forbade the card does not count as well how often it was tried."""
    for _, of_card in groupby(tries, key=lambda one: one.budget_key):
        before: list[tuple[Seen, Use]] = []
        for one in of_card:
            use = Use(
                at=one.at,
                amount=Money(minor=one.amount_minor, currency=one.currency),
                declined=one.declined,
                by_customer=one.by_customer,
            )
            before = [each for each in before if each[0].at >= one.at - LOOKED_BACK]
            if one.ours and one.at >= since:
                pack = rules.in_force(one.brand, one.at, one.country)
                if any(pack.forbids(earlier.decline_code, earlier.advice_code) for earlier, _ in before):
                    yield pack, FeeFor.AFTER_NEVER_AGAIN, one
                elif beyond(pack, uses=[earlier for _, earlier in before], amount=use.amount, at=one.at):
                    yield pack, FeeFor.BEYOND_CAP, one
            before.append((one, use))


def _fee(pack: RulePack, charged_for: FeeFor, behind: Seen | Advised) -> Fee | None:
    code = behind.code if isinstance(behind, Advised) else ""
    meant = (fee for fee in pack.fees if fee.charged_for is charged_for and (not fee.codes or code in fee.codes))
    return next(meant, None)


def _row(key: str, currency: str, found: Sequence[Penalty]) -> Row:
    sums = {"attempts": sum(one.attempts for one in found), "estimated_minor": sum(one.minor for one in found)}
    return Row(key=key, currency=currency, figures=sums)
