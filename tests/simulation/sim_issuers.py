"""How the simulated issuers answer. Without moods every card would fail for the same reason."""

import random
from typing import Final

from recovery.cases.obligation import ChargeStatus
from recovery.declines.signals import Signals

_CODES: Final = {
    "funds": (0.35, Signals(error_code="card_declined", decline_code="insufficient_funds", network_decline_code="51")),
    "advice": (0.4, Signals(error_code="card_declined", decline_code="insufficient_funds", network_advice_code="26")),
    "ill": (0.5, Signals(error_code="processing_error", decline_code="processing_error")),
    "honor": (0.25, Signals(error_code="card_declined", decline_code="do_not_honor", network_decline_code="05")),
    "never": (0.0, Signals(error_code="card_declined", decline_code="do_not_honor", network_decline_code="05")),
    "odd": (0.3, Signals(error_code="card_declined", decline_code="a_code_of_tomorrow")),
    "expired": (0.0, Signals(error_code="expired_card", decline_code="expired_card", network_decline_code="54")),
    "lost": (0.0, Signals(error_code="card_declined", decline_code="lost_card", network_decline_code="41")),
    "cvc": (0.0, Signals(error_code="incorrect_cvc", decline_code="incorrect_cvc")),
    "zip": (0.0, Signals(error_code="incorrect_zip", decline_code="incorrect_zip")),
    "auth": (0.0, Signals(error_code="authentication_required", decline_code="authentication_required")),
    "duplicate": (0.0, Signals(error_code="card_declined", decline_code="duplicate_transaction")),
    "blocked": (
        0.0,
        Signals(
            error_code="card_declined",
            decline_code="generic_decline",
            outcome_type="blocked",
            outcome_reason="highest_risk_level",
            reached_network=False,
        ),
    ),
    "good": (1.0, Signals()),
}
FAILING: Final = ("funds", "funds", "funds", "advice", "ill", "ill", "honor", "odd", "expired", "lost", "cvc", "auth")
"""The moods of cards that have failed; blocked and duplicate are rarer still."""

RARE: Final = ("duplicate", "blocked")
DEAD_CODES: Final = frozenset({"expired_card", "lost_card", "stolen_card", "pickup_card", "incorrect_cvc"})
"""After one of these the same details must never be presented again."""

NEVER_AGAIN_CODES: Final = frozenset({"lost_card", "stolen_card", "pickup_card"})
"""After one of these the card itself must never be presented again, on no invoice."""

ADDRESS_CODES: Final = frozenset({"incorrect_zip"})
"""After one of these the same entry may be presented once more, when its address was corrected since."""

ONLY_CUSTOMER_CODES: Final = frozenset({"authentication_required"})


def answer(mood: str, dice: random.Random, *, on_session: bool, hard: bool) -> tuple[ChargeStatus, Signals | None]:
    """What the issuer says to one authorisation. In ``hard`` times few are approved, so that limits on tries are reached."""
    share, signals = _CODES[mood]
    if hard and mood != "good":
        share *= 0.2
    if on_session and mood not in ("expired", "lost", "blocked"):
        share = max(share, 0.8)
    if dice.random() < share:
        return ChargeStatus.SUCCEEDED, None
    return ChargeStatus.FAILED, signals if mood != "good" else _CODES["honor"][1]


def opening(mood: str) -> Signals:
    """The signals of the failure that begins everything."""
    return _CODES[mood][1]
