"""What each role may see. Without one list a page would lead to what another page refuses."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody does here: finance reads the report, operators look after cases, which finance sees too; admins may do all."""

    FINANCE = "finance"
    OPERATOR = "operator"
    ADMIN = "admin"


EVERYBODY: Final = frozenset(Role)
MONEY: Final = frozenset({Role.FINANCE, Role.ADMIN})
"""Who may see the report and what lies behind it."""


def sees_money(role: str | None) -> bool:
    """Whether pages lead this reader to the report; nobody has a role before signing in, or where none is asked for."""
    return role is None or role in MONEY
