"""A migration only adds: the release before it goes on working beside the new one, for as long as replacing the processes takes."""

import ast
import re

from tidy_support import GENERATED, modules

FIRST = "0014"
"""Before it nothing had run anywhere."""

TAKES_AWAY = re.compile(
    r"drop_column|drop_table|rename_table|new_column_name|DROP COLUMN|DROP TABLE|RENAME|SET NOT NULL|ALTER COLUMN \w+ TYPE"
)
NEEDS_FILLING = re.compile(r"add_column\((?:(?!server_default).)*nullable=False(?:(?!server_default).)*\)", re.DOTALL)


def _forward(text: str, tree: ast.Module) -> str:
    """A migration without its way back."""
    back = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "downgrade")
    return text.replace(ast.get_source_segment(text, back) or "", "")


def test_migrations_take_nothing_away_from_the_release_before() -> None:
    found = []
    for module in modules("recovery/storage/migrations/versions"):
        if not module.name.startswith(GENERATED + "0") or module.name.removeprefix(GENERATED)[:4] < FIRST:
            continue
        forward = _forward(module.text, module.tree)
        found += [f"{module.name}: {word[0]}" for word in TAKES_AWAY.finditer(forward)]
        for call in re.split(r"(?=op\.)", forward):
            found += [f"{module.name}: {word[0][:60]}" for word in NEEDS_FILLING.finditer(call)]
    assert found == [], "the release before this one would fail on it; add now, take away a release later"


def test_the_rule_finds_what_it_forbids() -> None:
    assert TAKES_AWAY.search('op.drop_column("cases", "zone")')
    assert NEEDS_FILLING.search('op.add_column("cases", sa.Column("x", sa.Text(), nullable=False))')
    assert not NEEDS_FILLING.search('op.add_column("c", sa.Column("x", sa.Text(), nullable=False, server_default="a"))')
