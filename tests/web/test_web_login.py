"""Signing in: who gets in, who does not, and that nobody can be made to act by another site."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from building import Life, wired
from starlette.routing import Route
from web_serving import client_of, rows

from recovery.runtime.clock import machine_now
from recovery.runtime.web.access import COOKIE, access_of
from recovery.runtime.web.routes import page_routes
from recovery.runtime.web.signing_in import ADDRESS_FAILURES_MAX, NAME_FAILURES_MAX, PasswordTooShort, hashed
from recovery.runtime.wiring import Wiring
from recovery.storage.user_store import IDLE, LONGEST, User, UserExists, add_user, change_user, session_of

HTML = {"Accept": "text/html"}
WORDS = "correct horse battery staple"
HASHED = hashed(WORDS)


@pytest.fixture
def wiring(database_url: str) -> Iterator[Wiring]:
    with wired(database_url, pages="login") as made:
        with made.database.begin() as tx:
            for role in ("finance", "operator", "admin"):
                user = User(name=role, role=role, enabled=True, created_at=machine_now())
                add_user(tx, user, password_hash=HASHED)
        yield made


@pytest.fixture
def client(wiring: Wiring) -> Iterator[httpx.Client]:
    with client_of(wiring) as made:
        yield made


def sign_in(client: httpx.Client, name: str = "finance", password: str = WORDS, **sent: str) -> httpx.Response:
    return client.post("/login", data={"name": name, "password": password} | sent, headers=HTML)


def test_a_page_leads_to_the_login_and_back(client: httpx.Client) -> None:
    sent_away = client.get("/report?month=2026-09", headers=HTML)
    assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/login?next=%2Freport%3Fmonth%3D2026-09")
    assert 'autocomplete="current-password"' in client.get(sent_away.headers["location"], headers=HTML).text
    entered = sign_in(client, next="/report?month=2026-09")
    assert (entered.status_code, entered.headers["location"]) == (303, "/report?month=2026-09")
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    page = client.get("/report?month=2026-09", headers=HTML)
    assert page.status_code == 200
    assert "finance (finance)" in page.text


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", ""])
def test_nobody_is_sent_to_another_site(client: httpx.Client, wanted: str) -> None:
    assert sign_in(client, next=wanted).headers["location"] == "/report"


def test_roles_see_what_is_theirs(wiring: Wiring, client: httpx.Client) -> None:
    case = Life(wiring).fail("in_1")
    seen = {}
    for role in ("finance", "operator", "admin"):
        client.cookies.clear()
        sign_in(client, role)
        seen[role] = [client.get(path).status_code for path in ("/report", "/report.csv", "/cases", f"/cases/{case}")]
    assert seen == {"finance": [200] * 4, "operator": [403, 403, 200, 200], "admin": [200] * 4}


def test_every_page_has_its_guard(wiring: Wiring, client: httpx.Client) -> None:
    """Whichever page is added: nobody sees it without signing in, and figures of money are not for operators."""
    paths = [
        route.path
        for route in page_routes(wiring, access_of(wiring.settings, wiring.database))
        if isinstance(route, Route)
    ]
    guarded = sorted({path.replace("{case_id}", "case_none") for path in paths} - {"/login", "/logout"})
    assert len(guarded) > 10
    for path in guarded:
        assert client.get(path).status_code == 401, path
        assert client.post(path).status_code == 405, path
    sign_in(client, "operator")
    refused = {path for path in guarded if client.get(path, headers=HTML).status_code == 403}
    assert refused == {path for path in guarded if path.startswith("/report")}
    for path in ("/cases", "/report", "/cases/case_none"):
        page = client.get(path, headers=HTML).text
        assert 'href="/report"' not in page, f"{path}: a way that leads to a refusal"
        assert 'href="/cases"' in page
    assert client.get("/").headers["location"] == "/cases"


def test_programs_use_name_and_password(client: httpx.Client) -> None:
    assert client.get("/report.json").status_code == 401
    assert client.get("/report.json", auth=("finance", "wrong")).status_code == 401
    assert client.get("/report.json", auth=("finance", WORDS)).json()["zone"] == "UTC"
    described = client.get("/openapi.json", auth=("finance", WORDS)).json()
    assert {"/report.json", "/report.csv", "/report.xlsx"} == set(described["paths"])


def test_guessing_is_slowed_down_for_a_name_and_not_for_others(wiring: Wiring, client: httpx.Client) -> None:
    for _ in range(NAME_FAILURES_MAX):
        assert sign_in(client, password="guess").status_code == 401
    stopped = sign_in(client)
    assert (stopped.status_code, stopped.headers["retry-after"]) == (429, "900")
    assert client.get("/report.json", auth=("finance", WORDS)).status_code == 429
    assert sign_in(client, "operator").status_code == 303
    kept = " ".join(str(row) for row in rows(wiring, "SELECT subject FROM login_failures"))
    assert "finance" not in kept
    assert "127.0.0.1" not in kept


def test_guesses_at_once_are_no_more_than_guesses_in_a_row(wiring: Wiring, client: httpx.Client) -> None:
    with ThreadPoolExecutor(12) as several:
        answers = list(several.map(lambda _: sign_in(client, password="guess"), range(12)))
    assert {answer.status_code for answer in answers} <= {401, 429}
    assert rows(wiring, "SELECT count(*) FROM login_failures GROUP BY subject") == [(NAME_FAILURES_MAX,)] * 2


def test_a_password_that_all_share_cannot_be_guessed_either(database_url: str) -> None:
    with wired(database_url, pages="password", pages_password=WORDS) as wiring, client_of(wiring) as client:
        for number in range(ADDRESS_FAILURES_MAX):
            assert client.get("/report.json", auth=("anybody", f"guess {number}")).status_code == 401
        assert client.get("/report.json").status_code == 401
        assert client.get("/report.json", auth=("anybody", WORDS)).status_code == 429


def test_another_site_cannot_sign_in_or_out(client: httpx.Client) -> None:
    assert (
        client.post("/login", data={"name": "finance"}, headers={"Origin": "https://evil.example"}).status_code == 403
    )
    cross = {"Sec-Fetch-Site": "cross-site", "Origin": "null"}
    assert client.post("/login", data={"name": "finance"}, headers=cross).status_code == 403
    own = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}  # what a browser sends from a page without a referrer
    assert client.post("/login", data={"name": "finance"}, headers=own).status_code == 401
    sign_in(client)
    assert client.post("/logout", data={"csrf": "guess"}).status_code == 403
    assert client.post("/logout").status_code == 403
    page = client.get("/cases", headers=HTML).text
    token = page.split('name="csrf" value="')[1].split('"')[0]
    assert client.post("/logout", data={"csrf": token}).status_code == 303
    assert client.get("/cases", headers=HTML).status_code == 303


def test_a_session_ends(wiring: Wiring, client: httpx.Client) -> None:
    sign_in(client)
    token = client.cookies[COOKIE]
    assert token not in str(rows(wiring, "SELECT * FROM sessions"))
    with wiring.database.begin() as tx:
        now = machine_now()
        assert session_of(tx, token, at=now + IDLE - timedelta(minutes=1)) is not None
        assert session_of(tx, token, at=now + LONGEST + timedelta(minutes=1)) is None
        assert session_of(tx, token, at=now + 2 * IDLE + timedelta(minutes=1)) is None
        assert session_of(tx, token + "x", at=now) is None
        change_user(tx, "finance", at=now, enabled=False)
    assert client.get("/cases").status_code == 401
    assert sign_in(client).status_code == 401


def test_users_have_names_of_their_own_and_passwords_that_last(wiring: Wiring) -> None:
    user = User(name="finance", role="admin", enabled=True, created_at=machine_now())
    with pytest.raises(UserExists), wiring.database.begin() as tx:
        add_user(tx, user, password_hash=HASHED)
    with pytest.raises(PasswordTooShort):
        hashed("short")
    assert WORDS not in HASHED
    assert HASHED.startswith("$argon2id$")
