"""Makes the pictures of docs/emails anew: every letter and every face of the customer's page. Without it they would show old sentences.

Run ``make pictures`` after a change of config/emails or of the page, and look at them. Needs Chromium (apt-get install chromium).
``--all FOLDER`` writes each language at both widths, light and dark, for looking only.
"""

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from recovery.dunning.letter import Brand, Letters
from recovery.runtime.knowledge import load_knowledge, rules_of
from recovery.runtime.web.customer_samples import write_samples

ROOT = Path(__file__).resolve().parents[1]
PHONE, DESK = 375, 760
"""Widths in pixels: a common phone, and the reading pane of a mail program."""

LETTERS = ("payment_due", "confirm_payment", "new_card", "reminder", "last_notice", "leaving")
OFFERS = ("page_open", "page_confirm", "page_day", "page_lost", "page_closed")
WORDS = (
    "page_paid",
    "page_thanked",
    "page_going",
    "page_left",
    "page_wrong",
    "page_away",
    "page_unsubscribe",
    "page_unsubscribed",
)
GAP = 16
COLOURS = 128
"""Enough for flat colours and grey letters; a picture is a third as large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Some of the gallery's files side by side."""

    name: str
    names: Sequence[str]
    width: int
    dark: bool = False


def main() -> int:
    """Write the pictures; 1 without a browser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, help="write every language at every width here instead")
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no chromium is installed; run: apt-get install chromium", file=sys.stderr)
        return 1
    out = asked.all or ROOT / "docs" / "emails"
    out.mkdir(parents=True, exist_ok=True)
    with _gallery() as (gallery, languages), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for sheet in _everything(languages) if asked.all else _shown(languages):
            _saved(browser, sheet, gallery, out)
        browser.close()
    return 0


@contextmanager
def _gallery() -> Iterator[tuple[Path, Sequence[str]]]:
    """The files of `recovery email preview` with the shipped texts."""
    letters = Letters(ROOT / "config" / "emails", Brand(name="Nimbus", sender="billing@example.com"))
    rules = rules_of(load_knowledge(ROOT / "config"))
    with tempfile.TemporaryDirectory() as folder:
        write_samples(letters, rules, Path(folder))
        yield Path(folder), letters.languages


def _shown(languages: Sequence[str]) -> Iterator[Sheet]:
    """What the docs show."""
    for language in languages:
        yield Sheet(name=f"phone.{language}", names=[f"{each}.{language}" for each in LETTERS], width=PHONE)
        yield Sheet(name=f"page.phone.{language}", names=[f"{each}.{language}" for each in OFFERS], width=PHONE)
    yield Sheet(name="desk", names=["payment_due.en", "last_notice.de"], width=DESK)
    yield Sheet(name="desk.dark", names=["new_card.es", "leaving.zh_Hans"], width=DESK, dark=True)
    yield Sheet(name="page.desk", names=["page_open.en", "page_lost.en"], width=DESK)
    yield Sheet(name="page.words", names=[f"{each}.en" for each in WORDS], width=PHONE)


def _everything(languages: Sequence[str]) -> Iterator[Sheet]:
    for language in languages:
        for part, names in (("letters", LETTERS), ("offers", OFFERS), ("words", WORDS)):
            for place, width, dark in (("phone", PHONE, False), ("desk", DESK, False), ("dark", PHONE, True)):
                files = [f"{each}.{language}" for each in names]
                yield Sheet(name=f"{part}.{place}.{language}", names=files, width=width, dark=dark)


def _saved(browser: Browser, sheet: Sheet, gallery: Path, out: Path) -> None:
    context = browser.new_context(
        viewport={"width": sheet.width, "height": 500}, color_scheme="dark" if sheet.dark else "light"
    )
    page, shots = context.new_page(), []
    for name in sheet.names:
        page.goto((gallery / f"{name}.html").as_uri())
        for details in page.locator("summary").all():
            details.click()
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > sheet.width:
            print(f"{name} is {wide} pixels wide on {sheet.width}", file=sys.stderr)
        shots.append(Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB"))
    context.close()
    size = (sum(shot.width + GAP for shot in shots) - GAP, max(shot.height for shot in shots))
    whole, left = Image.new("RGB", size, "#808890"), 0
    for shot in shots:
        whole.paste(shot, (left, 0))
        left += shot.width + GAP
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(out / f"{sheet.name}.png", optimize=True)
    print(out / f"{sheet.name}.png")


if __name__ == "__main__":
    sys.exit(main())
