"""A real mail server with encryption and accounts: nothing leaves unless both are as configured."""

import ssl
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from recovery.dunning import mailer
from recovery.dunning.mailer import MailUnavailable, SmtpMailer

TLS = Path(__file__).with_name("tls")
"""A key for 127.0.0.1 that signs itself and is of no use elsewhere; until 2126."""


def _accounts(_server: Any, _session: Any, _envelope: Any, _mechanism: str, sent: Any) -> AuthResult:
    right = isinstance(sent, LoginPassword) and (sent.login, sent.password) == (b"shop", b"password one")
    return AuthResult(success=right, handled=False)


@pytest.fixture
def encryption() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    return context


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system trusts the server's certificate, as it would one of a known authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "cert.pem"))
    mailer._trusting.cache_clear()
    yield
    mailer._trusting.cache_clear()


def _strict(start: Callable[..., Any], encryption: ssl.SSLContext) -> Any:
    """A server as providers run them: no mail without encryption, none without an account."""
    return start(tls_context=encryption, require_starttls=True, authenticator=_accounts, auth_required=True)


def _listening(seen: list[Any]) -> Callable[..., AuthResult]:
    """An account that takes any password, and notes that one came."""

    def listening(*heard: Any) -> AuthResult:
        seen.append(heard)
        return AuthResult(success=True)

    return listening


def _send(port: int, **ways: Any) -> None:
    message = EmailMessage()
    message["Subject"] = "Grüße"
    message.set_content("hello")
    told = {"security": "starttls", "username": "shop", "password": "password one"} | ways
    SmtpMailer(host="127.0.0.1", port=port, sender="a@example.com", timeout_seconds=5, tries=1, **told).send(
        message, to="kim@example.com"
    )


@pytest.mark.usefixtures("trusted")
def test_an_email_goes_out_encrypted_and_with_an_account(
    start_smtp: Callable[..., Any], encryption: ssl.SSLContext
) -> None:
    server = _strict(start_smtp, encryption)
    _send(server.port)
    (caught,) = server.messages
    assert caught.recipients == ("kim@example.com",)


@pytest.mark.usefixtures("trusted")
@pytest.mark.filterwarnings(
    "ignore:Requiring AUTH"
)  # aiosmtpd does not see the encryption that is there from the start
def test_encryption_from_the_first_byte_works_too(start_smtp: Callable[..., Any], encryption: ssl.SSLContext) -> None:
    server = start_smtp(ssl_context=encryption, authenticator=_accounts, auth_required=True, auth_require_tls=False)
    _send(server.port, security="tls")
    assert len(server.messages) == 1


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "ways",
    [
        {"password": "guessed"},
        {"username": None},
        {"security": "none"},
        {"security": "none", "username": None},
        {"security": "tls"},
    ],
)
def test_what_the_server_wants_otherwise_is_for_later_and_nothing_leaves(
    start_smtp: Callable[..., Any], encryption: ssl.SSLContext, ways: dict[str, Any]
) -> None:
    """Our own mistakes: they must not mark the customer's address, and the email must go out once they are mended."""
    server = _strict(start_smtp, encryption)
    with pytest.raises(MailUnavailable) as refused:
        _send(server.port, **ways)
    assert "word" not in str(refused.value)
    assert server.messages == []


def test_a_certificate_of_nobody_known_gets_neither_password_nor_email(
    start_smtp: Callable[..., Any], encryption: ssl.SSLContext
) -> None:
    seen: list[Any] = []
    server = start_smtp(tls_context=encryption, authenticator=_listening(seen))
    with pytest.raises(MailUnavailable):
        _send(server.port)
    assert (server.messages, seen) == ([], [])


@pytest.mark.usefixtures("trusted")
@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_server_without_encryption_gets_neither_password_nor_email(start_smtp: Callable[..., Any]) -> None:
    """Who sits in between may hide that the server offers encryption."""
    seen: list[Any] = []
    server = start_smtp(authenticator=_listening(seen), auth_require_tls=False)
    with pytest.raises(MailUnavailable):
        _send(server.port)
    assert (server.messages, seen) == ([], [])
