"""What would match no card, amount or window is told with its line, every mistake at once, and without a word of the library's."""

import shutil
import warnings

import pytest
from building import CONFIG, settings_for

from recovery.runtime.asking import letters_of
from recovery.runtime.config_check import folder_mistakes

BROKEN = (
    ("networks/visa-2026-04.toml", "window_hours = 720", "window_hours = 2160", "less than or equal to 744; lower"),
    ("networks/visa-2025-05.toml", '"AD", ', '"XX", ', "'XX' is no country of ISO 3166; write two capital letters"),
    ("networks/visa-2025-05.toml", '"AT", ', '"UK", ', "'UK' is no country of ISO 3166; write it as GB"),
    ("networks/visa-2025-05.toml", '"BE", ', '"br", ', "write it as BR"),
    ("networks/visa-2025-05.toml", '"BG", ', '"JPN", ', "write it as JP"),
    ("networks/visa-2025-05.toml", 'currency = "usd"', 'currency = "dollars"', "'dollars' is no currency of ISO 4217"),
    ("networks/visa-2025-05.toml", 'edition = "2025-05"', 'edition = "2026-10"', "a name of its own"),
    ("networks/mastercard-2025-01.toml", '"wait", hours = 72, ', '"wait", ', "which needs them: hours = 24"),
    ("recovery.toml", "usd = 50000", "USD = 50000", "'USD' is no currency of ISO 4217; write it as usd"),
    ("recovery.toml", 'interval = "year"', 'interval = "annual"', "'annual' is no interval; write one of day, week"),
    ("recovery.toml", 'countries = ["IN"]', 'countries = ["IND"]', "'IND' is no country of ISO 3166; write it as IN"),
    ("recovery.toml", "= { silent_attempts_max = 6 }", '= { silent_attempts_max = "x" }', "should be a valid integer"),
    ("banks.toml", '"debit", "prepaid"', '"debbit", "prepaid"', "'debbit' is no kind of funding; write one of credit"),
    ("paydays.toml", "US = {", "UK = {", "countries.UK: 'UK' is no country"),
    ("emails/de.toml", "[page]", '[page]\nx = """', "Unterminated string (at end of document)"),
    ("emails/es.toml", "[common]", "[comon]", "common: Field required"),
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("broken") / "config"
    shutil.copytree(CONFIG, folder)
    for name, sound, broken, _ in BROKEN:
        text = (folder / name).read_text(encoding="utf-8")
        assert sound in text, (name, sound)
        (folder / name).write_text(text.replace(sound, broken, 1), encoding="utf-8")
    settings = settings_for("postgresql+psycopg://nobody/nothing", config_dir=folder)
    with warnings.catch_warnings(action="error"):
        return [each.removeprefix(f"{folder}/") for each in folder_mistakes(folder, letters_of(settings))]


@pytest.mark.parametrize(("name", "words"), [(name, words) for name, _, _, words in BROKEN])
def test_each_is_told_with_file_line_and_remedy(told: list[str], name: str, words: str) -> None:
    [line] = [each for each in told if words in each and each.startswith((f"{name}:", "networks/visa-2026-10.toml:"))]
    number = line.split(":")[1]
    assert number.isdigit()
    assert ";" in line


def test_what_the_shipped_files_say_is_all_right() -> None:
    settings = settings_for("postgresql+psycopg://nobody/nothing")
    assert folder_mistakes(CONFIG, letters_of(settings)) == []
