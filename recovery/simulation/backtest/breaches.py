"""Counts tries that break a network's rules. Without it a strategy that hammers would look better than one that keeps out of fees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from recovery.declines.networks import Advice, Cap, Counted, NetworkRules, RulePack
from recovery.declines.signals import Initiator
from recovery.simulation.answers import Verdict
from recovery.simulation.backtest.account import Tried


def breaches(charges: Sequence[Tried], networks: NetworkRules) -> int:
    """How many of a strategy's tries a network would charge a fee for: after a "never again", too early, or above a cap."""
    found = 0
    for number, tried in enumerate(charges):
        if tried.charge.initiator is not Initiator.ENGINE or not _reached(tried):
            continue
        pack = networks.in_force(tried.card.brand, tried.charge.created_at)
        before = [b for b in charges[:number] if b.card.fingerprint == tried.card.fingerprint and _reached(b)]
        found += _against_advice(tried, before, pack) or any(_above(cap, tried, before) for cap in pack.caps)
    return found


def _reached(tried: Tried) -> bool:
    return tried.answer.verdict is not Verdict.BLOCKED


def _against_advice(tried: Tried, before: Sequence[Tried], pack: RulePack) -> bool:
    for earlier in before:
        answer = earlier.answer
        rules = (
            pack.decline_codes.get(answer.network_decline_code or ""),
            pack.advice_codes.get(answer.network_advice_code or ""),
        )
        for rule in rules:
            if rule is None:
                continue
            if rule.advice is Advice.NEVER_AGAIN and earlier.card == tried.card:
                return True
            wait = timedelta(hours=rule.hours)
            if rule.advice is Advice.WAIT and tried.charge.created_at < earlier.charge.created_at + wait:
                return True
    return False


def _above(cap: Cap, tried: Tried, before: Sequence[Tried]) -> bool:
    since = tried.charge.created_at - timedelta(hours=cap.window_hours)
    counted = [
        b for b in before if b.charge.created_at > since and not (cap.counted is Counted.DECLINES and b.approved)
    ]
    return len(counted) >= cap.tries_max
