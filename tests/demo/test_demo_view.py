"""What a person sees while a demo plays: the whole picture in 80 columns, plain lines where there is no terminal."""

import io
from datetime import timedelta

from building import MONDAY, Life, wired
from rich.console import Console

from recovery.runtime.demo.view import panel, watching


def test_the_picture_of_a_moment_fits_80_columns(database_url: str) -> None:
    with wired(database_url) as wiring:
        life = Life(wiring)
        won, refused = life.fail("won", minor=123_456_789), life.fail("refused", minor=98_765_432, currency="jpy")
        life.attempt(won)
        life.attempt(refused, life.declined("do_not_honor"))
        life.fail("waiting", minor=4_900, currency="eur")
        out = io.StringIO()
        Console(file=out, width=80).print(panel(life.wiring.database, MONDAY))
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    assert lines[0].startswith(f"{MONDAY:%A %d %B %Y}")
    assert "silent 2" in lines[1]
    assert "recovered 1" in lines[1]
    assert lines[2].split() == ["recovered", "by", "silent", "retry", "1"]
    for words in ("EUR", "JPY", "USD", "$1,234,567.89", "¥98,765,432"):
        assert any(words in line for line in lines), words
    told = [line for line in lines if "attempt 1" in line]
    assert any("declined (do_not_honor" in line for line in told), told


def test_without_a_terminal_there_are_plain_lines(database_url: str) -> None:
    out = io.StringIO()
    with wired(database_url) as wiring:
        life = Life(wiring)
        life.fail("waiting")
        with watching(life.wiring.database, Console(file=out, width=80)) as watch:
            watch(MONDAY)
            watch(MONDAY + timedelta(days=1))
            life.fail("later")
            watch(MONDAY + timedelta(days=2))
    rest = "dunning 0  review 0  recovered 0  lost 0  withdrawn 0  emails 0"
    assert out.getvalue().splitlines() == [
        f"{MONDAY:%d %b %Y}  silent 1  {rest}",
        f"{MONDAY + timedelta(days=2):%d %b %Y}  silent 2  {rest}",  # however soon the end comes
    ]


def test_the_last_picture_on_a_terminal_is_that_of_the_end(database_url: str) -> None:
    out = io.StringIO()
    with wired(database_url) as wiring:
        life = Life(wiring)
        with watching(life.wiring.database, Console(file=out, width=80, force_terminal=True)) as watch:
            watch(MONDAY)
            life.fail("later")
            watch(MONDAY + timedelta(days=1))
    last = out.getvalue()[out.getvalue().rindex(" UTC") :]
    assert f"{MONDAY + timedelta(days=1):%A %d %B %Y}" in out.getvalue()
    assert "silent 1" in last
