"""An open case whose invoice cannot be read, and the payments of others that no webhook told of."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from building import Life

from recovery.cases.lifecycle import State
from recovery.cases.obligation import Obligation, ObligationStatus
from recovery.gateways.port import Gateway, GatewayUnavailable, ListedObligation
from recovery.intake.backfill import Backfill
from recovery.values import replace


class Ill:
    """A gateway that lists nothing as open and always fails to read one invoice."""

    livemode, name = False, "stripe"

    def __init__(self, life: Life) -> None:
        self.life = life

    def notices_since(self, at: Any) -> Iterator[Any]:
        return iter(())

    def open_obligations(self) -> Iterator[ListedObligation]:
        return iter(())

    def read_obligation(self, name: str) -> Obligation:
        if name == "in_0":
            raise GatewayUnavailable("it hangs for this one, for ever")
        owed = self.life._owed[f"case_{name}"]
        return replace(owed, status=ObligationStatus.VOID)


def test_a_case_whose_invoice_cannot_be_read_does_not_hide_those_behind_it(life: Life) -> None:
    ill, other = life.fail("in_0"), life.fail("in_1")
    run = Backfill(life.door, cast(Gateway, Ill(life)), frozenset())
    for _ in range(3):
        with pytest.raises(GatewayUnavailable):
            run.run()
    assert life.case(ill).state is State.SILENT
    assert life.case(other).state is State.WITHDRAWN
