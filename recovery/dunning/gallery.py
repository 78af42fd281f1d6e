"""All emails, and the pages they lead to, to look at. Without it the Spanish last notice would first be seen by a customer."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from recovery.dunning.checking import samples
from recovery.dunning.letter import Letters, Written

INDEX = "index.html"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{brand}: emails and pages</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; padding: 1.5rem; max-width: 90rem; font: 16px/1.5 system-ui, sans-serif; }}
figure {{ margin: 0 0 3rem; }} figcaption {{ margin-bottom: .5rem; }}
.pair {{ display: flex; flex-wrap: wrap; gap: 1rem; }}
iframe {{ border: 1px solid #8886; border-radius: .5rem; height: 46rem; width: 375px; max-width: 100%; }}
iframe.desk {{ width: 700px; }} small {{ opacity: .75; }}
</style></head><body>
<h1>{brand}: emails and the customer's page</h1>
<p>Every letter, and every face of the page behind its link, in every language with sample values: on a phone and at a desk; letters
as plain text as well. Links lead nowhere.</p>
<nav>{index}</nav>
{figures}
</body></html>
"""

_FIGURE = """<figure id="{name}"><figcaption><strong>{subject}</strong><br>
<small>{template}, {language} · <a href="{name}.html">HTML</a>{text}</small></figcaption>
<div class="pair"><iframe src="{name}.html" title="{name} on a phone" loading="lazy"></iframe>
<iframe class="desk" src="{name}.html" title="{name} at a desk" loading="lazy"></iframe></div></figure>
"""


_TEXT = ' · <a href="{name}.txt">plain text</a>'

Shown = tuple[str, str, str, str]
"""A page beside the letters: its name, language, title and HTML."""


def write_gallery(letters: Letters, folder: Path, *, pages: Iterable[Shown] = ()) -> Sequence[Path]:
    """Write every letter in every language, some pages, and one page that shows them all; the files written.

    Raises LetterError, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    figures, index = [], []
    for language, template, words in samples(letters):
        name = f"{template}.{language}"
        written += _saved(folder, name, words)
        figures.append(_figure(name, template, language, words.subject, text=_TEXT.format(name=name)))
        index.append(f'<a href="#{name}">{name}</a>')
    for kind, language, title, html in pages:
        name = f"{kind}.{language}"
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
        written.append(folder / f"{name}.html")
        figures.append(_figure(name, kind, language, title))
        index.append(f'<a href="#{name}">{name}</a>')
    brand = escape(letters.brand.name)
    page = _PAGE.format(brand=brand, index=" · ".join(index), figures="\n".join(figures))
    (folder / INDEX).write_text(page, encoding="utf-8")
    return [folder / INDEX, *written]


def _figure(name: str, kind: str, language: str, title: str, *, text: str = "") -> str:
    values = {"name": name, "subject": title, "template": kind.replace("_", " "), "language": language}
    return _FIGURE.format(text=text, **{key: escape(value) for key, value in values.items()})


def _saved(folder: Path, name: str, words: Written) -> list[Path]:
    html, text = folder / f"{name}.html", folder / f"{name}.txt"
    html.write_text(words.html, encoding="utf-8")
    text.write_text(f"{words.subject}\n\n{words.text}", encoding="utf-8")
    return [html, text]
