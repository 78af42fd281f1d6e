"""Checks the whole configuration folder at once. Without it a mistake in one file would hide those in the others until it is mended."""

import re
from collections.abc import Iterable
from pathlib import Path

from recovery.cases.leaving import TEMPLATE as LEAVING
from recovery.dunning.checking import letter_mistakes
from recovery.dunning.letter import Letters
from recovery.runtime.knowledge import (
    CAMPAIGNS_FILE,
    EMAILS_FOLDER,
    Campaigns,
    ConfigInvalid,
    load_file,
    load_knowledge,
)
from recovery.runtime.toml_places import line_of, places
from recovery.runtime.worlds import WORLDS_FOLDER
from recovery.simulation.world import Parameters

_UNREADABLE = re.compile(r"\(at line (\d+), column \d+\)")
_KEYED = re.compile(r"(?P<file>[^:]*\.toml)(?P<line>:\d+)?: (?P<rest>(?P<key>[A-Za-z0-9_.-]+)?.*)", re.DOTALL)


def folder_mistakes(folder: Path, letters: Letters) -> list[str]:
    """Everything that is wrong in any file of a configuration folder, each with file, line and remedy."""
    found: list[str] = []
    try:
        load_knowledge(folder)
    except ConfigInvalid as invalid:
        found += invalid.mistakes
    found += letter_mistakes(letters, templates=_templates(folder))
    for path in sorted((folder / WORLDS_FOLDER).glob("*.toml")):
        try:
            load_file(path, Parameters)
        except ConfigInvalid as invalid:
            found += invalid.mistakes
    return sorted({_with_line(folder, mistake) for mistake in found})


def _templates(folder: Path) -> Iterable[str]:
    """The letters that campaigns name, whatever is wrong with other files; what is wrong with this one is told elsewhere."""
    path = folder / EMAILS_FOLDER / CAMPAIGNS_FILE
    try:
        campaigns = load_file(path, Campaigns).campaigns
    except ConfigInvalid:
        return set()
    return {LEAVING, *(letter.template for campaign in campaigns for letter in campaign.letters)}


def _with_line(folder: Path, mistake: str) -> str:
    """A mistake with the line it is on, where it names a file and a key but no line yet."""
    told = _KEYED.fullmatch(mistake)
    if told is None or told["line"]:
        return mistake
    path = next((each for each in (Path(told["file"]), folder / EMAILS_FOLDER / told["file"]) if each.is_file()), None)
    if path is None:
        return mistake
    unreadable = _UNREADABLE.search(mistake)
    line = int(unreadable[1]) if unreadable else _line_of(path, told["key"])
    return f"{path}:{line}: {told['rest']}" if line else mistake


def _line_of(path: Path, key: str | None) -> int | None:
    return line_of(places(path.read_text(encoding="utf-8")), key.split(".")) if key else None
