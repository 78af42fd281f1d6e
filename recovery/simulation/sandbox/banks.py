"""Who answers authorisations when a test says so, and otherwise.

Without scripted cards a test could not say "declined for funds, then approved"; without the order below a world
would answer for them.
"""

from __future__ import annotations

from recovery.simulation.answers import APPROVE, Answer, Authorization, Bank, Verdict
from recovery.simulation.sandbox.store import Store


class KindBank:
    """Approves everything; stands where no world was built."""

    def answer(self, question: Authorization) -> Answer:
        """Approved."""
        del question
        return APPROVE


def answer(store: Store, bank: Bank, question: Authorization) -> Answer:
    """A scripted card answers by its script, all others by the bank.

    On a session a scripted demand for authentication is met: the cardholder is there. Hold the store's lock.
    """
    script = store.scripts.get(question.card.fingerprint)
    if script is None:
        return bank.answer(question)
    given = script.pop(0) if len(script) > 1 else script[0]
    if given.verdict is Verdict.AUTHENTICATION and question.on_session:
        return APPROVE
    return given
