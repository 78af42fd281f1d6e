"""Counts tries that break a network's rules. Without it a strategy that hammers would look better than one that keeps out of fees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from recovery.declines.networks import Advice, NetworkRules, RulePack
from recovery.declines.signals import Initiator
from recovery.simulation.answers import Verdict
from recovery.simulation.backtest.account import Tried
from recovery.timing.budgets import Use, beyond


def breaches(charges: Sequence[Tried], networks: NetworkRules) -> int:
    """How many of a strategy's tries a network would charge a fee for: after a "never again", too early, or above a cap."""
    found = 0
    for number, tried in enumerate(charges):
        if tried.charge.initiator is not Initiator.ENGINE or not _reached(tried):
            continue
        pack = networks.in_force(tried.card.brand, tried.charge.created_at, tried.card.country)
        before = [b for b in charges[:number] if b.card.fingerprint == tried.card.fingerprint and _reached(b)]
        found += _against_advice(tried, before, pack) or _above(tried, before, pack)
    return found


def _reached(tried: Tried) -> bool:
    return tried.answer.verdict is not Verdict.BLOCKED


def _against_advice(tried: Tried, before: Sequence[Tried], pack: RulePack) -> bool:
    for earlier in before:
        codes = (earlier.answer.network_decline_code, earlier.answer.network_advice_code)
        if earlier.card == tried.card and pack.forbids(*codes):
            return True
        for rule in (pack.decline_codes.get(codes[0] or ""), pack.advice_codes.get(codes[1] or "")):
            if rule is None or rule.advice is not Advice.WAIT:
                continue
            if tried.charge.created_at < earlier.charge.created_at + timedelta(hours=rule.hours):
                return True
    return False


def _above(tried: Tried, before: Sequence[Tried], pack: RulePack) -> bool:
    uses = [
        Use(
            at=one.charge.created_at,
            amount=one.charge.amount,
            declined=not one.approved,
            by_customer=one.charge.initiator is Initiator.CUSTOMER,
        )
        for one in before
    ]
    return beyond(pack, uses=uses, amount=tried.charge.amount, at=tried.charge.created_at)
