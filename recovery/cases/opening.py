"""How a case begins. Without one place for it engine, plans and backtests would open different cases for the same failure."""

from datetime import datetime, timedelta

from recovery.cases.case import Case
from recovery.cases.holdout import Arm
from recovery.cases.lifecycle import State
from recovery.cases.obligation import Charge, Obligation
from recovery.cases.rules import Rules
from recovery.cases.segments import Standing, segment_of
from recovery.declines.classify import Verdict
from recovery.declines.signals import Card, Signals
from recovery.values import maker, replace

_case = maker(Case)


def opened_case(
    charge: Charge,
    obligation: Obligation,
    *,
    rules: Rules,
    case_id: str,
    gateway: str,
    policy: str,
    arm_before: Arm | None = None,
) -> Case:
    """The case of an obligation whose charge failed, pinned on a policy version; nothing is decided yet.

    ``arm_before`` is how an earlier case of the customer was treated, if that was measured.
    """
    failed_at = charge.created_at
    standing = Standing.of(obligation, failed_at=failed_at)
    segment = segment_of(rules.policy.segments, standing)
    arm = rules.policy.holdout.arm_of(obligation.customer, before=arm_before)
    return _case(
        id=case_id,
        gateway=gateway,
        obligation=obligation.id,
        customer=obligation.customer,
        subscription=obligation.subscription,
        amount=obligation.remaining,
        state=State.SILENT,
        policy=policy,
        failed_at=failed_at,
        horizon_at=horizon_of(failed_at, segment, arm, rules),
        segment=segment,
        arm=arm,
        subscribed_at=obligation.subscribed_at,
        interval=obligation.interval,
        interval_count=obligation.interval_count,
        trial=standing.trial,
        zone=rules.banks.zone_of(obligation.country, obligation.region),
    )


def opened_by(case: Case, charge: Charge, verdict: Verdict, dead: tuple[Card, ...]) -> Case:
    """The case with what the failure that opens it says: its verdict, and the cards that are dead by it."""
    return replace(
        case,
        dead_cards=dead,
        verdict=verdict,
        signals=charge.signals or Signals(),
        card=charge.card or case.card,
        tried_card=charge.card,
        last_failure_at=charge.created_at,
    )


def horizon_of(failed_at: datetime, segment: str, arm: Arm | None, rules: Rules) -> datetime:
    """Until when a failure is tried silently, by the policy of its segments and of how its customer is treated."""
    own = rules.for_segment(segment, arm).policy
    return failed_at + timedelta(days=own.horizon_days)
