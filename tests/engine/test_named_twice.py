"""A refusal that names an earlier attempt's charge, as the gateway's own intent still shows it, wedges no case."""

import pytest
from building import Life

from recovery.cases.answers import Declined, NeedsCustomer, Unknown
from recovery.cases.facts import AttemptAnswered
from recovery.declines.signals import Signals

REFUSED = Signals(error_code="card_declined", decline_code="insufficient_funds")


@pytest.mark.parametrize("answer", [Declined, NeedsCustomer])
def test_a_charge_belongs_to_the_attempt_that_made_it(life: Life, answer: type[Declined | NeedsCustomer]) -> None:
    """A second try seconds after the first: the call made no charge, and the intent still shows the one before."""
    case_id = life.fail("in_1")
    first = life.declined()
    life.attempt(case_id, first)
    life.attempt(case_id, Unknown(detail="timeout"))
    second = life.case(case_id).open_attempt
    assert second is not None
    told = answer(signals=REFUSED, charge_id=first.charge_id)
    life.tell(case_id, AttemptAnswered(attempt_id=second.id, answer=told))
    one, two = life.case(case_id).attempts
    assert life.case(case_id).open_attempt is None
    assert (one.charge_id, two.charge_id) == (first.charge_id, None)
