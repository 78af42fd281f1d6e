"""What Stripe says about a decline: messages, outcome and error body.

Without the same wording and fields the adapter's reading of the four code signals would be tested on other data
than production's.
"""

from __future__ import annotations

from recovery.simulation.answers import REQUIRES_ACTION, Answer, Verdict
from recovery.simulation.sandbox.errors import Json

_DECLINED = "Your card was declined."
_ASKS = "This payment requires additional user action before it can be completed successfully."
_MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "incorrect_number": "Your card number is incorrect.",
    "card_not_supported": "Your card is not supported.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def message_of(answer: Answer) -> str:
    """The sentence of a decline."""
    if answer.code == REQUIRES_ACTION.code:
        return _ASKS
    return _MESSAGES.get(answer.decline_code or "", _DECLINED)


def outcome_of(answer: Answer) -> Json:
    """`charge.outcome`."""
    kinds = {
        Verdict.APPROVED: ("authorized", "approved_by_network", "Payment complete."),
        Verdict.PROCESSING: ("authorized", "approved_by_network", "Payment is processing."),
        Verdict.BLOCKED: ("blocked", "not_sent_to_network", "Stripe blocked this payment."),
    }
    declined = f"The bank returned the decline code `{answer.decline_code}`."
    kind, network, seller = kinds.get(answer.verdict, ("issuer_declined", "declined_by_network", declined))
    highest = answer.reason == "highest_risk_level"
    return {
        "advice_code": answer.advice_code,
        "network_advice_code": answer.network_advice_code,
        "network_decline_code": answer.network_decline_code,
        "network_status": network,
        "reason": answer.reason,
        "risk_level": "highest" if highest else "normal",
        "seller_message": seller,
        "type": kind,
    }


def payment_error(answer: Answer, *, charge: str | None, payment_method: Json) -> Json:
    """`payment_intent.last_payment_error`: the error without the intent itself."""
    code = answer.code or "card_declined"
    error: Json = {
        **({"charge": charge} if charge else {}),
        "code": code,
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
        "message": message_of(answer),
        "payment_method": payment_method,
        "type": "card_error",
    }
    for name in ("decline_code", "advice_code", "network_advice_code", "network_decline_code"):
        value = getattr(answer, name)
        if value is not None:
            error[name] = value
    return error
