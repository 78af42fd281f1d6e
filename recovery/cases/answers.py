"""What the gateway answered to one attempt, as values. Without them a decline would be an exception and a timeout a guess."""

from dataclasses import dataclass

from recovery.cases.obligation import Charge
from recovery.declines.signals import Signals
from recovery.values import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The money moved, by this charge."""

    charge: Charge


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The charge was refused. ``charge_id`` is None where the gateway refused before making a charge."""

    signals: Signals
    charge_id: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsCustomer:
    """The issuer wants the customer to authenticate: no off-session try can succeed."""

    signals: Signals
    charge_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """Accepted, outcome later. The attempt stays open."""

    charge_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadySettled:
    """Nothing was charged: the obligation was paid, voided or written off before this attempt."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Provably never reached the network (404, 409, 429 on the only try, or settled so): the budget is released."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Misconfigured:
    """The gateway refused our key or its rights (401, 403). Nothing was charged; all charging must stop."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nobody knows yet whether money moved: timeout, connection lost, 5xx. To be settled by reading."""

    detail: str


Answer = Succeeded | Declined | NeedsCustomer | Processing | AlreadySettled | NotSent | Misconfigured | Unknown
