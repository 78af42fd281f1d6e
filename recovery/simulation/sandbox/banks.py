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


OF_THE_ADDRESS = frozenset({"incorrect_zip", "incorrect_address"})
"""Declines that no waiting cures: a script goes on behind them once the billing address was corrected."""


def address_corrected(store: Store, fingerprint: str) -> None:
    """The issuer's file and the stored address agree from now on. Hold the store's lock."""
    script = store.scripts.get(fingerprint, [])
    behind = [given for given in script if given.decline_code not in OF_THE_ADDRESS]
    if script and script[0].decline_code in OF_THE_ADDRESS:
        script[:] = behind or [APPROVE]


def answer(store: Store, bank: Bank, question: Authorization) -> Answer:
    """A scripted card answers by its script, all others by the bank.

    On a session a scripted demand for authentication is met: the cardholder is there. Hold the store's lock.
    """
    script = store.scripts.get(question.card.fingerprint)
    if script is None:
        return bank.answer(question)
    waits = script[0].decline_code in OF_THE_ADDRESS  # until somebody corrects it
    given = script.pop(0) if len(script) > 1 and not waits else script[0]
    if given.verdict is Verdict.AUTHENTICATION and question.on_session:
        return APPROVE
    return given
