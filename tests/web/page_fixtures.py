"""The pages, open to everybody, and a client of them."""

from collections.abc import Iterator

import httpx
import pytest
from building import wired
from web_serving import client_of

from recovery.runtime.wiring import Wiring


@pytest.fixture
def wiring(database_url: str) -> Iterator[Wiring]:
    with wired(database_url, pages="open") as made:
        yield made


@pytest.fixture
def client(wiring: Wiring) -> Iterator[httpx.Client]:
    with client_of(wiring) as made:
        yield made
