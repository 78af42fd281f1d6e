"""Keys of a TOML file are found on their lines."""

from recovery.runtime.toml_places import line_of, places

TEXT = """# a comment
edition = "1"

[unknown]
zones = ["Etc/UTC"]

[countries]
US = { zones = ["America/New_York"], opens = 09:00:00 }
"G B" = { zones = [] }

[[risks]]
open = 0.0

[[risks.bands]]
name = "night"

[[risks]]
open = 0.1

[[risks.bands]]
name = "late"

[[risks.bands]]
name = "later"

[a.b]
c.d = 1
"""


def test_every_kind_of_key_is_found() -> None:
    found = places(TEXT)
    for path, line in (
        (("edition",), 2),
        (("unknown", "zones"), 5),
        (("countries", "US"), 8),
        (("countries", "G B"), 9),
        (("risks", 0, "open"), 12),
        (("risks", 0, "bands", 0, "name"), 15),
        (("risks", 1, "open"), 18),
        (("risks", 1, "bands", 1, "name"), 24),
        (("a", "b", "c", "d"), 27),
    ):
        assert line_of(found, path) == line


def test_what_is_not_written_out_is_placed_where_it_belongs() -> None:
    found = places(TEXT)
    assert line_of(found, ("countries", "US", "opens")) == 8
    assert line_of(found, ("countries", "DE")) == 7
    assert line_of(found, ("risks", 1, "weekend")) == 17
    assert line_of(found, ("nothing",)) is None
