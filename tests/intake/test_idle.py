"""Which events are not even kept: what they carry says that they can have no effect."""

from typing import Any

import pytest

from recovery.intake.idle import is_idle

PLANNED = {"invoice": "in_1", "status": "open", "attempt_count": 1, "next_payment_attempt": 1_790_000_000}


@pytest.mark.parametrize(
    ("kind", "content", "idle"),
    [
        ("invoice.updated", {"invoice": "in_1", "status": "open"}, True),
        ("invoice.updated", PLANNED, False),
        ("invoice.updated", PLANNED | {"status": "paid"}, True),
        ("invoice.updated", PLANNED | {"attempt_count": 0}, True),
        ("customer.updated", {"customer": "cus_1", "status": "x"}, True),
        ("customer.updated", {"customer": "cus_1", "changed": "invoice_settings.default_payment_method"}, False),
        ("customer.updated", {"customer": "cus_1"}, False),
        ("customer.subscription.updated", {"status": "active"}, False),
        ("invoice.paid", {"invoice": "in_1"}, False),
        ("something.new", {}, False),
    ],
)
def test_only_what_can_have_no_effect_is_idle(kind: str, content: dict[str, Any], idle: bool) -> None:
    assert is_idle(kind, content) is idle
