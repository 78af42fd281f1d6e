"""Sizes that one person can take in at once."""

import ast
from statistics import median

from tidy_support import GENERATED, Module, modules, product

MODULE_LINES_MAX = 300
MODULE_LINES_MEDIAN_MAX = 120
FUNCTION_LINES_MAX = 50
POSITIONAL_MAX = 5
# A command's options are its parameters, however many it has.
COMMANDS = "recovery/runtime/cli/"


def _lines(module: Module) -> int:
    return len(module.text.splitlines())


def _positional(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def test_no_module_is_long() -> None:
    long = {
        m.name: _lines(m) for m in modules("recovery", "tests", "benchmarks", "tools") if _lines(m) > MODULE_LINES_MAX
    }
    # Migrations list tables and are never edited again; of tests only the story of one room may be long.
    assert {name: lines for name, lines in long.items() if name.startswith("recovery/") and GENERATED not in name} == {}
    assert {name: lines for name, lines in long.items() if lines > 2 * MODULE_LINES_MAX} == {}


def test_the_usual_module_is_short() -> None:
    assert median(_lines(module) for module in product() if module.text) <= MODULE_LINES_MEDIAN_MAX


def test_no_function_is_long() -> None:
    long = [
        f"{module.at(function)} {function.name}: {lines} lines"
        for module in product()
        if GENERATED not in module.name
        for function in module.functions()
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_no_call_is_a_row_of_unnamed_values() -> None:
    many = [
        f"{module.at(function)} {function.name}({', '.join(names)})"
        for module in product()
        if not module.name.startswith(COMMANDS)
        for function in module.functions()
        if len(names := _positional(function)) > POSITIONAL_MAX
    ]
    assert many == []
