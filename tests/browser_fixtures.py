"""One browser for the tests of a module. Without one place for it each module would look for Chromium in its own way."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; skipped without one, unless it is required."""
    if CHROMIUM is None:
        assert os.environ.get("RECOVERY_REQUIRE_BROWSER") != "1", "no chromium is installed, and one is required"
        pytest.skip("no chromium is installed (apt-get install chromium); RECOVERY_REQUIRE_BROWSER=1 makes this fail")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()
