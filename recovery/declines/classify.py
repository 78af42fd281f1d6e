"""Why a charge failed and what that allows. Without it decisions would rest on one vendor's message strings.

Precedence when signals disagree: network decline code or network advice code, then the gateway's advice code,
then its decline code, then its error code (docs.stripe.com/declines/card, read 2026). What only permits another try never lifts what
another signal forbids: a network code that does says why the last try failed, and of the gateway's advice and its code the stricter one
decides, so that "try again later" opens neither a lost card nor one whose customer must authenticate.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar

from recovery.declines.networks import Advice, Because, CodeRule, RulePack
from recovery.declines.signals import Signals


class DeclineClass(StrEnum):
    """What a decline allows."""

    WAIT_FOR_FUNDS = "wait_for_funds"
    """Retry later; timing decides."""
    ISSUER_ILL = "issuer_ill"
    """Retry soon; the bank or the network was out of order."""
    CAREFUL = "careful"
    """A few well-spaced retries, then the customer."""
    STALE_CARD = "stale_card"
    """Fresh details first; the same details are dead."""
    WRONG_DETAILS = "wrong_details"
    """No updater can cure it: the customer or another card."""
    AUTHENTICATE = "authenticate"
    """The customer must authenticate; no silent retry can help."""
    NEVER_AGAIN = "never_again"
    """Never again on this card."""
    BLOCKED = "blocked"
    """The gateway's own risk engine refused; no blind retry."""
    OUR_MISTAKE = "our_mistake"
    """A person must look."""


NEEDS_FRESH_CARD = frozenset({DeclineClass.STALE_CARD, DeclineClass.NEVER_AGAIN, DeclineClass.WRONG_DETAILS})
"""Classes after which the same details are never presented again."""

ONLY_THE_CUSTOMER = NEEDS_FRESH_CARD | {DeclineClass.AUTHENTICATE, DeclineClass.BLOCKED}
"""Classes that no silent try on the same details can cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineRule:
    """One row of the decline table: the class of a code and why it is there.

    ``typed`` when it is about what the customer typed besides number and expiry: the same card entered anew may be right. ``address``
    when that is, or may be, the billing address: this very entry may be right once it is corrected.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}
    decline_class: DeclineClass
    reason: str
    typed: bool = False
    address: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineTable:
    """The classified codes of a gateway; ``unknown`` is how a code that is not listed behaves."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}
    edition: str
    source: str
    codes: Mapping[str, DeclineRule]
    advice: Mapping[str, DeclineRule]
    unknown: DeclineRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The class of one decline, the signal that decided it, and the least wait that the network demands.

    ``typed`` when only this entry of the card is dead, not the card; ``address`` when a correction revives it: see DeclineRule.
    ``unknown`` names every code that was given and that no file knows, whichever signal decided.
    """

    decline_class: DeclineClass
    by: str
    reason: str
    wait_hours: int = 0
    typed: bool = False
    address: bool = False
    unknown: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the files know every code that was given."""
        return not self.unknown

    def brief(self) -> str:
        """For reasons: what decided, and what it means; then what was given besides and means nothing here."""
        told = f"{self.by} means {self.decline_class.value.replace('_', ' ')}: {self.reason}"
        besides = [name.removeprefix("unknown ") for name in self.unknown if name != self.by]
        return f"{told}; no file knows the {', the '.join(besides)}" if besides else told


_BY_ADVICE = {
    Advice.NEVER_AGAIN: DeclineClass.NEVER_AGAIN,
    Advice.FIX_CARD: DeclineClass.STALE_CARD,
    Advice.OTHER_CARD: DeclineClass.WRONG_DETAILS,
    Advice.ASK_CUSTOMER: DeclineClass.AUTHENTICATE,
}

_ODD = re.compile(r"[^A-Za-z0-9_.-]+")
_CODE_LENGTH_MAX = 40
"""No gateway's code is longer; what is not a code at all must not fill reasons and flags."""

_BY_CAUSE = {Because.NO_FUNDS: DeclineClass.WAIT_FOR_FUNDS, Because.ISSUER_ILL: DeclineClass.ISSUER_ILL}

_DETAILS = (DeclineClass.STALE_CARD, DeclineClass.WRONG_DETAILS)

_MAY_TRY = (DeclineClass.WAIT_FOR_FUNDS, DeclineClass.ISSUER_ILL, DeclineClass.CAREFUL)

_STRICTEST_FIRST = (
    DeclineClass.NEVER_AGAIN,
    DeclineClass.OUR_MISTAKE,
    DeclineClass.BLOCKED,
    DeclineClass.AUTHENTICATE,
    DeclineClass.WRONG_DETAILS,
    DeclineClass.STALE_CARD,
)
"""How the gateway's advice and its code are weighed against each other; classes that allow trying come after all of these."""


def classify(signals: Signals, *, table: DeclineTable, pack: RulePack) -> Verdict:
    """Decide what one decline allows, by the network's rules in force and the gateway's table."""
    told = _judged(signals, table, pack)
    unknown = tuple(_unknown(signals, table, pack))
    return replace(told, unknown=unknown) if unknown else told


def with_the_customer(verdict: Verdict, country: str) -> Verdict:
    """The verdict for a card issued where nothing may be charged without the customer: what silent tries might cure, only they can.

    Details that are out of date stay dead; newer ones need the customer as well, so that none are waited for.
    """
    waits = verdict.decline_class is DeclineClass.STALE_CARD
    if not waits and verdict.decline_class not in _MAY_TRY:
        return verdict
    return replace(
        verdict,
        decline_class=DeclineClass.WRONG_DETAILS if waits else DeclineClass.AUTHENTICATE,
        by=f"a card issued in {country}",
        reason=f"cards issued there are not charged without the customer ({verdict.by}: {verdict.reason})",
    )


def _unknown(signals: Signals, table: DeclineTable, pack: RulePack) -> Iterator[str]:
    """The names of the codes that no file knows."""
    code = signals.decline_code or signals.error_code
    if code and code not in table.codes:
        yield f"unknown code {_clean(code)}"
    if signals.advice_code and signals.advice_code not in table.advice:
        yield f"unknown advice {_clean(signals.advice_code)}"
    network, advice = signals.network_decline_code, signals.network_advice_code
    if network and network not in pack.decline_codes and network not in pack.plain_decline_codes:
        yield f"unknown {pack.network} decline code {_clean(network)}"
    if advice and advice not in pack.advice_codes:
        yield f"unknown {pack.network} advice code {_clean(advice)}"


def _clean(code: str) -> str:
    return _ODD.sub("?", code)[:_CODE_LENGTH_MAX]


def _judged(signals: Signals, table: DeclineTable, pack: RulePack) -> Verdict:
    network = (
        (
            f"{pack.name()} decline code {signals.network_decline_code}",
            pack.decline_codes,
            signals.network_decline_code,
        ),
        (
            f"{pack.name()} advice code {signals.network_advice_code}",
            pack.advice_codes,
            signals.network_advice_code,
        ),
    )
    hits = [(by, rules[code]) for by, rules, code in network if code is not None and code in rules]
    wait_hours = max((rule.hours for _, rule in hits if rule.advice is Advice.WAIT), default=0)
    decided = _strictest(hits)
    if decided is not None:
        by, rule = decided
        strict = Verdict(decline_class=_BY_ADVICE[rule.advice], by=by, reason=rule.reason, wait_hours=wait_hours)
        return _finer(strict, signals, table) if rule.advice is Advice.FIX_CARD else replace(strict, typed=rule.typed)
    if not signals.reached_network and signals.outcome_type == "blocked":
        return Verdict(
            decline_class=DeclineClass.BLOCKED,
            by=f"outcome {signals.outcome_reason or 'blocked'}",
            reason="the gateway's risk engine refused; the network never saw it",
        )
    told = _by_gateway(signals, table, wait_hours)
    if signals.needs_customer and told.decline_class in _MAY_TRY:
        return Verdict(
            decline_class=DeclineClass.AUTHENTICATE,
            by="the gateway's answer",
            reason="the payment waits for the customer to authenticate",
            wait_hours=wait_hours,
        )
    finer = next(((by, rule) for by, rule in hits if rule.because is not None), None)
    if finer is not None and told.decline_class in _MAY_TRY:
        by, rule = finer
        assert rule.because is not None
        return Verdict(decline_class=_BY_CAUSE[rule.because], by=by, reason=rule.reason, wait_hours=wait_hours)
    return told


def _strictest(hits: list[tuple[str, CodeRule]]) -> tuple[str, CodeRule] | None:
    order = (Advice.NEVER_AGAIN, Advice.OTHER_CARD, Advice.ASK_CUSTOMER, Advice.FIX_CARD)
    ranked = sorted((hit for hit in hits if hit[1].advice in order), key=lambda hit: order.index(hit[1].advice))
    return ranked[0] if ranked else None


def _by_gateway(signals: Signals, table: DeclineTable, wait_hours: int) -> Verdict:
    advice = table.advice.get(signals.advice_code or "")
    code = signals.decline_code or signals.error_code
    row = table.codes.get(code or "")
    if advice is not None and not (row is not None and _goes_before(row, advice)):
        by = f"advice {signals.advice_code}"
        told = Verdict(decline_class=advice.decline_class, by=by, reason=advice.reason, wait_hours=wait_hours)
        return _finer(told, signals, table)
    if row is not None:
        told = Verdict(decline_class=row.decline_class, by=f"code {code}", reason=row.reason, wait_hours=wait_hours)
        return _finer(told, signals, table)
    unknown = table.unknown
    return Verdict(
        decline_class=unknown.decline_class,
        by=f"unknown code {_clean(code)}" if code else "no code",
        reason=unknown.reason,
        wait_hours=wait_hours,
    )


def _finer(told: Verdict, signals: Signals, table: DeclineTable) -> Verdict:
    """Network and advice may say only that the details are wrong; which of them, and so who can mend them, the gateway's code says."""
    if told.decline_class not in _DETAILS:
        return told
    code = signals.decline_code or signals.error_code
    row = table.codes.get(code or "")
    if row is None or row.decline_class not in NEEDS_FRESH_CARD:
        advice = table.advice.get(signals.advice_code or "")
        return told if advice is None else replace(told, typed=advice.typed, address=advice.address)
    if row.decline_class is DeclineClass.WRONG_DETAILS:
        told = replace(told, decline_class=row.decline_class, by=f"code {code}", reason=row.reason)
    return replace(told, typed=row.typed, address=row.address)


def _goes_before(row: DeclineRule, advice: DeclineRule) -> bool:
    """Whether the code decides and not the advice: the stricter one does; where both allow trying, the code, as it says why."""
    asked, told = row.decline_class, advice.decline_class
    if told in _MAY_TRY:
        return asked not in _MAY_TRY or told is DeclineClass.CAREFUL
    return asked in _STRICTEST_FIRST and _STRICTEST_FIRST.index(asked) < _STRICTEST_FIRST.index(told)
