"""Every worked example is what the engine does, and the page shows them all."""

import pytest
from timing_examples import FILE, PAGE, Example, examples, outcome_of_example, page

ROWS = examples()


@pytest.mark.parametrize("example", ROWS, ids=lambda example: example.title)
def test_the_engine_does_what_the_example_says(example: Example) -> None:
    told = outcome_of_example(example)
    assert (told.next, told.tries, told.then) == (example.next, example.tries, example.then)
    assert told.because == example.because


def test_there_are_enough_of_them_and_each_is_named_once() -> None:
    titles = [row.title for row in ROWS]
    assert len(titles) >= 60
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    "what",
    [
        *("Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Riyadh", "Asia/Dubai", "Asia/Tokyo"),
        *("America/New_York", "America/Los_Angeles", "America/Sao_Paulo", "Europe/Berlin"),
        *(
            f'advice_code = "{code}"'
            for code in ("01", "02", "03", "21", *map(str, range(24, 31)), *map(str, range(40, 44)))
        ),
        *(f'network_code = "{code}"' for code in ("R0", "R1", "R3", "57")),
        *("20 of 20 in 30 days", "10 of 10 in 24 hours", "35 in 30 days", "29 Feb", "New Year"),
    ],
)
def test_what_an_expert_looks_for_is_there(what: str) -> None:
    assert what in FILE.read_text(encoding="utf-8")


def test_the_page_is_rendered_from_the_examples() -> None:
    """Renew it with: python -c "import timing_examples as t; t.PAGE.write_text(t.page(t.examples()))" in tests/timing."""
    assert PAGE.read_text(encoding="utf-8") == page(ROWS)
