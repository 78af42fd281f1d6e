"""Asks OSV, the public collection of advisories, about every pinned package. Without it a hole known to everybody would be ours too.

Standard library only, as nothing here may need auditing first. Where the service cannot be reached it says that nothing was
checked: silence would look like a clean bill.
"""

import argparse
import json
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

PINS = Path("constraints.txt")
SERVICE = "https://api.osv.dev/v1/querybatch"
WAIT_SECONDS = 20.0
"""One request for all packages; it is answered within a second or two."""

ACCEPTED: Final[dict[str, str]] = {}
"""Advisories that do not concern us, each with the reason why."""

PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9._+!-]+)")
CLEAN, FOUND, SKIPPED = 0, 1, 75
"""75 is what mail programs call a temporary failure."""


class NotAsked(RuntimeError):
    """The service did not answer, or not as it is documented; the message says how."""


def pinned(text: str) -> list[tuple[str, str]]:
    """Name and version of each pinned package."""
    found = (PIN.fullmatch(line.strip()) for line in text.splitlines())
    return [(pin[1], pin[2]) for pin in found if pin]


def asked(service: str, packages: list[tuple[str, str]]) -> list[list[str]]:
    """The advisories of each package, by their ids. Raises NotAsked."""
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in packages]
    request = urllib.request.Request(  # noqa: S310 - the address is ours or the caller's
        service, data=json.dumps({"queries": queries}).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:  # noqa: S310
            told: Any = json.load(answer)
        results = [[str(one["id"]) for one in result.get("vulns", ())] for result in told["results"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotAsked(f"{service} was not to be had: {type(error).__name__}: {error}") from error
    if len(results) != len(packages):
        raise NotAsked(f"{service} answered {len(results)} of {len(packages)} questions")
    return results


def main(words: list[str] | None = None) -> int:
    """0 when no advisory is known, 1 when one is, 75 with --strict when nobody could be asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", default=SERVICE, help="an OSV server")
    parser.add_argument("--pins", type=Path, default=PINS, help="the file with name==version lines")
    parser.add_argument("--strict", action="store_true", help="not being able to ask is a failure (75)")
    wished = parser.parse_args(words)
    packages = pinned(wished.pins.read_text(encoding="utf-8"))
    try:
        results = asked(wished.service, packages)
    except NotAsked as error:
        print(f"audit: SKIPPED, nothing was checked: {error}", flush=True)
        return SKIPPED if wished.strict else CLEAN
    known = [(name, version, one) for (name, version), ids in zip(packages, results, strict=True) for one in ids]
    for name, version, one in known:
        print(f"audit: {name} {version}: {one} ({ACCEPTED.get(one) or f'https://osv.dev/vulnerability/{one}'})")
    left = [one for _, _, one in known if one not in ACCEPTED]
    print(f"audit: {len(packages)} packages, {len(left)} advisories to look at, {len(known) - len(left)} accepted")
    return FOUND if left else CLEAN


if __name__ == "__main__":
    sys.exit(main())
