"""What may go wrong in a run, by kind, each with dice of its own. Without separate dice a run could not be shrunk."""

import random
from dataclasses import dataclass, field
from typing import Final

KINDS: Final = (
    "crash",
    "meanwhile",
    "frozen",
    "unanswered_landed",
    "unanswered_never",
    "unanswered_late",
    "unanswered_beyond",
    "key_expired",
    "replayed_500",
    "rate_limited",
    "conflict",
    "missing",
    "unauthorized",
    "unreadable",
    "webhook_first",
    "webhook_lost",
    "webhook_doubled",
    "webhook_late",
    "webhook_days_late",
    "skew",
    "mail_refused",
    "mail_away",
    "mail_ambiguous",
    "customer_pays",
    "customer_changes_card",
    "customer_cancels",
    "customer_visits",
    "merchant_voids",
    "merchant_writes_off",
    "amount_changes",
    "part_payment",
    "gateway_retries",
    "card_updated",
    "card_detached",
    "brand_changed",
    "address_corrected",
    "updater_asked",
    "backups",
    "own_cards",
    "refund",
    "dispute",
    "processing",
    "new_rules",
    "gone",
    "shared_card",
    "family",
    "twin_card",
    "indian_cards",
    "advice",
    "odd_amounts",
    "standing",
    "same_number",
    "not_by_card",
    "driven",
    "hard_times",
    "short_leases",
)
"""Everything that a run may be told to leave out while it is shrunk."""

_SHARES: Final = {
    "crash": 0.02,
    "meanwhile": 0.07,
    "frozen": 0.02,
    "unanswered_landed": 0.08,
    "unanswered_never": 0.07,
    "unanswered_late": 0.09,
    "unanswered_beyond": 0.04,
    "replayed_500": 0.05,
    "rate_limited": 0.05,
    "conflict": 0.03,
    "missing": 0.01,
    "unauthorized": 0.02,
    "unreadable": 0.03,
    "webhook_first": 0.15,
    "webhook_lost": 0.06,
    "webhook_doubled": 0.10,
    "webhook_late": 0.20,
    "webhook_days_late": 0.06,
    "skew": 0.05,
    "mail_refused": 0.10,
    "mail_away": 0.20,
    "mail_ambiguous": 0.10,
    "key_expired": 0.04,
}
"""How often each fault happens when it is asked for; customers' and merchants' acts have weights in the play."""


_HEATED: Final = frozenset({"crash", "frozen"})


class Crashed(BaseException):
    """The worker is gone at this very point. Not an Exception: nothing in a worker survives its end."""


@dataclass
class Dice:
    """One seed, many independent streams: switching one kind off leaves the others as they were."""

    seed: int
    _streams: dict[str, random.Random] = field(default_factory=dict)

    def of(self, purpose: str) -> random.Random:
        """The stream for one purpose."""
        return self._streams.setdefault(purpose, random.Random(f"{self.seed}/{purpose}"))


@dataclass
class Faults:
    """Whether a fault happens now. ``off`` kinds never do; ``ended`` stops all of them."""

    dice: Dice
    off: frozenset[str] = frozenset()
    ended: bool = False
    happened: dict[str, int] = field(default_factory=dict)
    heat: float = 1.0
    """How much likelier than usual: money and mail are only at stake while a step is performed."""

    def __post_init__(self) -> None:
        # A run has a few kinds that are frequent: rare ones would hardly ever meet.
        loud = self.dice.of("loud")
        self._shares = {kind: share * loud.choice((0, 0.5, 1, 1, 3)) for kind, share in _SHARES.items()}

    def allows(self, kind: str) -> bool:
        """Whether this kind takes part at all."""
        assert kind in KINDS, kind
        return kind not in self.off and not self.ended

    def strikes(self, kind: str) -> bool:
        """Throw the dice for one fault."""
        struck = self.dice.of(kind).random() < self._shares[kind] * (self.heat if kind in _HEATED else 1.0)
        if not struck or not self.allows(kind):
            return False
        self.happened[kind] = self.happened.get(kind, 0) + 1
        return True

    def chosen(self, *kinds: str) -> str | None:
        """The first of several faults that strikes, or None."""
        return next((kind for kind in kinds if self.strikes(kind)), None)
