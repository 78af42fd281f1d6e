"""Tokens, forms, headers and reports about email from anybody: never an error of ours, and nothing changes without a right to it."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest
from building import Life, wired
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from web_serving import client_of, rows

from recovery.cases.lifecycle import State
from recovery.dunning.links import For, Links
from recovery.dunning.standard_webhooks import signed_headers
from recovery.runtime.clock import machine_now
from recovery.runtime.web.access import COOKIE
from recovery.runtime.wiring import Wiring

LINK_SECRET = "a secret of twenty-four or more"
MAIL_SECRET = "whsec_" + base64.b64encode(b"mail" * 8).decode()
LINKS = Links(base_url="https://pay.example.org", secrets=(LINK_SECRET,))
ACTIONS = ("", "/card", "/day", "/leave", "/reason")
FEW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
words = some.text(max_size=30) | some.sampled_from(
    ("\x00", "%", "a" * 500, "2026-02-30", "0001-01-01", "9999-12-31", "-1", "'; --")
)


@pytest.fixture(scope="module")
def wiring(module_database_url: str) -> Iterator[Wiring]:
    ways = {
        "pages": "login",
        "public_url": LINKS.base_url,
        "link_secrets": LINK_SECRET,
        "address_key": "a key",
        "mail_event_secrets": MAIL_SECRET,
        "stripe_api_base": "http://127.0.0.1:1",  # nobody answers there
        "stripe_call_seconds": 0.2,
    }
    with wired(module_database_url, **ways) as made:
        life = Life(made)
        case_id = life.fail("in_1", at=machine_now())
        life.attempt(case_id, life.declined("do_not_honor"))
        while life.case(case_id).state is State.SILENT:
            life.attempt(case_id, life.declined("do_not_honor"))
        yield made


@pytest.fixture(scope="module")
def client(wiring: Wiring) -> Iterator[httpx.Client]:
    with client_of(wiring) as made:
        page = made.get(f"/r/{LINKS.token('case_in_1', until=machine_now() + timedelta(days=1))}")
        assert 'name="day"' in page.text, "a day could be had"
        yield made


def _changes(wiring: Wiring) -> int:
    names = ("journal", "steps", "suppressions", "mail_objections", "sessions")
    counts = " + ".join(f"(SELECT count(*) FROM {name})" for name in names)
    return int(rows(wiring, f"SELECT {counts}")[0][0])


@some.composite
def tokens(draw: some.DrawFn) -> str:
    """A token that is none: anything, or one of ours for another purpose, another case, of another time, or bent."""
    until = machine_now() + timedelta(days=1)
    ours = [
        LINKS.token("case_in_1", until=until, purpose=For.FORM),
        LINKS.token("case_in_2", until=until),
        LINKS.token("case_in_1", until=machine_now() - timedelta(seconds=2)),
        Links(base_url="", secrets=("another secret of that length",)).token("case_in_1", until=until),
    ]
    good = LINKS.token("case_in_1", until=until)
    at = draw(some.integers(0, len(good) - 1))
    bent = good[:at] + draw(some.sampled_from("x_-.")) + good[at + 1 :]
    anything = draw(words)
    return draw(some.sampled_from([*ours, good[:at], bent if bent != good else "", anything, "." * 300]))


@FEW
@given(token=tokens(), action=some.sampled_from(ACTIONS), form=some.dictionaries(words, words, max_size=3))
def test_a_token_that_is_none_opens_and_changes_nothing(
    wiring: Wiring, client: httpx.Client, token: str, action: str, form: dict[str, str]
) -> None:
    before, name = _changes(wiring), quote(token, safe="")
    answers = [client.get(f"/r/{name}"), client.post(f"/r/{name}{action}", data=form)]
    answers += [client.get(f"/u/{name}"), client.post(f"/u/{name}", data=form)]
    for answer in answers:
        assert answer.status_code in (400, 404, 405, 413), (token, answer.request.url)
        assert "in_1" not in answer.text
    assert _changes(wiring) == before


@FEW
@given(
    action=some.sampled_from(ACTIONS[1:]),
    form=some.dictionaries(some.sampled_from(("day", "because", "proof", "x")), words, max_size=4),
    raw=some.none() | some.binary(max_size=60),
)
def test_a_form_without_our_signature_changes_nothing(
    wiring: Wiring, client: httpx.Client, action: str, form: dict[str, str], raw: bytes | None
) -> None:
    before = _changes(wiring)
    path = f"/r/{LINKS.token('case_in_1', until=machine_now() + timedelta(days=1))}{action}"
    answer = client.post(path, data=form) if raw is None else client.post(path, content=raw)
    assert answer.status_code in (400, 404), answer.text
    assert _changes(wiring) == before


@FEW
@given(action=some.sampled_from(("/day", "/leave", "/reason")), word=words)
@example(action="/day", word="9999-12-31")
def test_a_signed_form_with_strange_words_is_refused_in_words(
    wiring: Wiring, client: httpx.Client, action: str, word: str
) -> None:
    before, until = _changes(wiring), machine_now() + timedelta(hours=1)
    proof = LINKS.token("case_in_1", until=until, purpose=For.FORM)
    answer = client.post(
        f"/r/{LINKS.token('case_in_1', until=until)}{action}", data={"proof": proof, "day": word, "because": word}
    )
    assert answer.status_code == 400, answer.text
    assert _changes(wiring) == before


@FEW
@given(
    name=words,
    password=words,
    there=words,
    raw=some.none() | some.binary(max_size=60),
    cookie=some.text("ab.", max_size=9),
)
def test_nobody_gets_in_with_whatever_is_sent(
    wiring: Wiring, client: httpx.Client, name: str, password: str, there: str, raw: bytes | None, cookie: str
) -> None:
    sent = {"name": name, "password": password, "next": there, "csrf": name}
    kinds: tuple[dict[str, str], ...] = ({}, {"Content-Type": "multipart/form-data; boundary=x"})
    answers = [client.post("/login", data=sent), client.get("/login", params=sent)]
    if raw is not None:
        answers += [client.post("/login", content=raw, headers=kind) for kind in kinds]
    held = {"Cookie": f"{COOKIE}={cookie}"}
    given_to_programs = base64.b64encode(f"{name}:{password}".encode("utf-8", "replace")).decode()
    basic = {"Authorization": f"Basic {given_to_programs}"}
    answers += [client.post("/logout", data=sent, headers=held), client.get("/report.json", headers=basic | held)]
    for answer in answers:
        assert answer.status_code < 500, (answer.request.url, answer.text)
        assert COOKIE not in answer.headers.get("set-cookie", "")
    assert answers[-1].status_code in (401, 429)


def test_a_long_form_is_refused_before_it_is_read_whole(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield b"name=" + b"x" * 65536

    answer = client.post("/login", content=endless(), headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 413


scalars = some.none() | some.booleans() | some.integers() | some.floats() | words | some.just("a@\ud800")
reports = some.recursive(
    scalars,
    lambda inner: (
        some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from(("message_id", "address", "x")), inner)
    ),
    max_leaves=6,
)


@FEW
@given(kind=some.sampled_from(("bounced", "complained", "other", None)) | words, told=reports, whole=some.booleans())
def test_a_signed_report_about_an_email_is_taken_or_refused(
    client: httpx.Client, kind: str | None, told: object, whole: bool
) -> None:
    body = json.dumps({"type": kind, "data": told} if whole else told).encode()
    headers = signed_headers((MAIL_SECRET,), "evt_1", body, at=machine_now())
    answer = client.post("/webhooks/mail", content=body, headers=headers)
    assert answer.status_code in (200, 400), answer.text
    assert client.post("/webhooks/mail", content=body, headers={}).status_code == 400


def test_a_report_nested_without_end_is_refused(client: httpx.Client) -> None:
    body = b"[" * 30_000
    headers = signed_headers((MAIL_SECRET,), "evt_1", body, at=machine_now())
    assert client.post("/webhooks/mail", content=body, headers=headers).status_code == 400
