"""Checks the whole configuration folder at once. Without it a mistake in one file would hide those in the others until it is mended."""

import re
from collections.abc import Iterator
from pathlib import Path

from recovery.cases.leaving import TEMPLATE as LEAVING
from recovery.dunning.checking import letter_mistakes
from recovery.dunning.letter import DEFAULT_LANGUAGE, Letters
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
_UNDECODED = re.compile(r"codec can't decode bytes? .*?in position (\d+)")
_UNDEFINED = re.compile(r"'(\w+)' is undefined")
_KEYED = re.compile(
    r"(?P<file>[^:]*\.(?:toml|mjml|txt))(?P<line>:\d+)?: (?P<rest>(?P<key>[A-Za-z0-9_.-]+)?.*)", re.DOTALL
)


def folder_mistakes(folder: Path, letters: Letters, *, known: bool = False) -> list[str]:
    """Everything that is wrong in any file of a configuration folder, each with file, line and remedy.

    ``known`` when policy and knowledge were read from it already, and nothing was wrong with them.
    """
    found: list[str] = []
    try:
        if not known:
            load_knowledge(folder)
    except ConfigInvalid as invalid:
        found += invalid.mistakes
    found += _unknown_letters(folder / EMAILS_FOLDER / CAMPAIGNS_FILE, letters)
    found += letter_mistakes(letters, templates={LEAVING})
    for path in sorted((folder / WORLDS_FOLDER).glob("*.toml")):
        try:
            load_file(path, Parameters)
        except ConfigInvalid as invalid:
            found += invalid.mistakes
    return sorted({_with_line(folder, mistake) for mistake in found})


def _unknown_letters(path: Path, letters: Letters) -> Iterator[str]:
    """The letters that campaigns name and nobody wrote, each at its line; what is wrong with the file otherwise is told elsewhere."""
    english = letters.texts.get(DEFAULT_LANGUAGE)
    try:
        campaigns = load_file(path, Campaigns).campaigns
    except ConfigInvalid:
        return
    if english is None:
        return
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    for name in {letter.template for campaign in campaigns for letter in campaign.letters} - set(english.letters):
        named = re.compile(rf"""\btemplate["']?\s*=\s*["']{re.escape(name)}["']""")
        known = ", ".join(sorted(english.letters))
        for number in [number for number, line in enumerate(lines, start=1) if named.search(line)]:
            yield f"{path}:{number}: there is no letter {name}; write it in {DEFAULT_LANGUAGE}.toml, or take one of {known}"


def _with_line(folder: Path, mistake: str) -> str:
    """A mistake with the line it is on, where it names a file and a key but no line yet."""
    told = _KEYED.fullmatch(mistake)
    if told is None or told["line"]:
        return mistake
    path = next((each for each in (Path(told["file"]), folder / EMAILS_FOLDER / told["file"]) if each.is_file()), None)
    if path is None:
        return mistake
    if undecoded := _UNDECODED.search(mistake):
        number = path.read_bytes()[: int(undecoded[1])].count(b"\n") + 1
        return f"{path}:{number}: not written in UTF-8; save it as UTF-8"
    unreadable, undefined = _UNREADABLE.search(mistake), _UNDEFINED.search(mistake)
    line = int(unreadable[1]) if unreadable else _line_of(path, told["key"])
    if "(at end of document)" in mistake:
        line = len(path.read_text(encoding="utf-8-sig").splitlines())
    line = _line_with(path, undefined[1], after=line or 1) if undefined else line
    return f"{path}:{line or 1}: {told['rest']}"


def _line_with(path: Path, name: str, *, after: int) -> int | None:
    """The line on which a template uses a name that it does not know."""
    used = re.compile(rf"\{{[{{%][^}}]*\b{re.escape(name)}\b")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return next((number for number, line in enumerate(lines, 1) if number >= after and used.search(line)), None)


def _line_of(path: Path, key: str | None) -> int | None:
    return line_of(places(path.read_text(encoding="utf-8-sig")), key.split(".")) if key else None
