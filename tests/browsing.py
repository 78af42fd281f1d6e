"""What tests ask a page in the browser. Apart from the fixtures, which pytest loads by itself."""

from playwright.sync_api import Page


def too_wide(page: Page) -> int:
    """By how many pixels the page scrolls sideways; none is right."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
