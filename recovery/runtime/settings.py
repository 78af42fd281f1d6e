"""All settings, from the environment (``RECOVERY_…``) or a ``.env`` file. Without it each process would be told differently."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from recovery.dunning.standard_webhooks import key_of

LINK_SECRET_CHARACTERS_MIN = 24
"""As many as 18 random bytes in base64."""

LOGO_BYTES_MAX = 64 * 1024
"""Mail programs cut long messages off at about 100 kB."""


class SettingsInvalid(ValueError):
    """A setting cannot be used; the message names each variable and what is wrong."""


class Pages(StrEnum):
    """Who may read the pages: nobody, whoever signs in, whoever has the one password, or everybody who reaches the port."""

    OFF = "off"
    LOGIN = "login"
    PASSWORD = "password"  # noqa: S105 - a mode, not a password
    OPEN = "open"


def default_config_dir() -> Path:
    """The folder beside the package in a checkout, the one inside it in an installed wheel."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / "config"
    return beside if (beside / "recovery.toml").is_file() else package / "default_config"


class Settings(BaseSettings):
    """Where everything is. Database and broker unset means embedded servers under the data directory."""

    model_config = SettingsConfigDict(
        env_prefix="RECOVERY_", env_file=".env", extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Path(".recovery")
    config_dir: Path = Field(default_factory=default_config_dir)
    database_url: SecretStr | None = None
    broker_url: SecretStr | None = None

    stripe_secret_key: SecretStr | None = None
    stripe_webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    stripe_api_base: str = "https://api.stripe.com"
    stripe_calls_per_second: int | None = Field(default=None, ge=0, le=1000)
    stripe_call_seconds: float = Field(default=60.0, gt=0, le=300)
    settle_margin_seconds: float = Field(default=30.0, ge=0, le=3600)

    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    mail_from: str = "billing@example.com"
    mail_reply_to: str | None = None
    smtp_tries: int = Field(default=3, ge=1, le=10)
    mail_per_second: float = Field(default=10.0, gt=0, le=1000)
    brand_name: str = "Example"
    brand_colour: str = Field(default="#0b5cad", pattern=r"^#[0-9a-fA-F]{6}$")
    brand_logo: Path | None = None

    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s/]+(/[^\s?#]*)?$")
    link_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    address_key: SecretStr | None = None
    mail_event_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    merchant_url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    merchant_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = ()

    web_host: str = "127.0.0.1"
    web_port: int = Field(default=8000, ge=0, le=65535)
    webhook_body_bytes_max: int = Field(default=512 * 1024, ge=1024)
    pages: Pages = Pages.OFF
    pages_password: SecretStr | None = None

    report_zone: str = "UTC"
    report_currency: str = Field(default="usd", pattern=r"^[a-z]{3}$")
    report_rates: Path | None = None

    batch: int = Field(default=50, ge=1, le=500)
    threads: int = Field(default=50, ge=1, le=100)
    worker_processes: int = Field(default=2, ge=1, le=64)
    lease_seconds: float = Field(default=30.0, ge=1, le=300)
    ring_seconds: float = Field(default=3.0, gt=0, le=60)
    lookahead_days: int = Field(default=14, ge=0, le=90)
    clock_file: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "plain"] = "json"

    @field_validator("stripe_webhook_secrets", "link_secrets", "mail_event_secrets", "merchant_secrets", mode="before")
    @classmethod
    def _comma_separated(cls, value: Any) -> Any:  # noqa: ANN401 - anything from outside
        """Several secrets during a rotation are separated by commas."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("database_url", mode="after")
    @classmethod
    def _psycopg(cls, value: SecretStr | None) -> SecretStr | None:
        """Hosting platforms hand out postgres:// addresses; the driver is ours to choose."""
        if value is None:
            return None
        url = value.get_secret_value()
        for scheme in ("postgres://", "postgresql://"):
            if url.startswith(scheme):
                return SecretStr("postgresql+psycopg://" + url.removeprefix(scheme))
        if not url.startswith("postgresql+psycopg://"):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("mail_event_secrets", "merchant_secrets", mode="after")
    @classmethod
    def _standard(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        """Secrets in the form of Standard Webhooks."""
        for secret in value:
            key_of(secret.get_secret_value())
        return value

    @field_validator("link_secrets", mode="after")
    @classmethod
    def _long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        """A short secret could be found by trying."""
        if any(len(secret.get_secret_value()) < LINK_SECRET_CHARACTERS_MIN for secret in value):
            raise ValueError(f"each must have at least {LINK_SECRET_CHARACTERS_MIN} characters")
        return value

    @field_validator("smtp_username", "smtp_password", mode="after")
    @classmethod
    def _plain(cls, value: Any) -> Any:  # noqa: ANN401 - a text or a secret
        """Found here, not by the first email: the library that logs in knows no other letters."""
        told = value.get_secret_value() if isinstance(value, SecretStr) else value
        if told is not None and not told.isascii():
            raise ValueError("must have ASCII letters only; mail servers are logged in to with these")
        return value

    @field_validator("brand_logo", mode="after")
    @classmethod
    def _a_picture(cls, value: Path | None) -> Path | None:
        """The logo travels inside every email."""
        if value is None:
            return None
        if not value.is_file() or not value.read_bytes().startswith(b"\x89PNG"):
            raise ValueError("must be the path of a PNG file")
        if value.stat().st_size > LOGO_BYTES_MAX:
            raise ValueError(f"must not be larger than {LOGO_BYTES_MAX} bytes: it travels inside every email")
        return value

    @field_validator("mail_from")
    @classmethod
    def _an_address(cls, value: str) -> str:
        name, at, domain = value.partition("@")
        if not name or not at or "." not in domain or " " in value:
            raise ValueError("must be an address like billing@your-domain.com")
        return value

    @property
    def calls_per_second(self) -> int:
        """The rate of calls that all processes share; 0 is none. Stripe allows 100 a second live and 25 in test mode."""
        if self.stripe_calls_per_second is not None:
            return self.stripe_calls_per_second
        if self.stripe_api_base.rstrip("/") != "https://api.stripe.com" or self.stripe_secret_key is None:
            return 0
        return 80 if "_live_" in self.stripe_secret_key.get_secret_value()[:9] else 20

    @property
    def sender_domain(self) -> str:
        """The domain of our Message-IDs."""
        return self.mail_from.partition("@")[2]


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - field values
    """Read the settings. Raises SettingsInvalid naming each variable, never its value."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [
            f"RECOVERY_{'_'.join(str(part) for part in detail['loc']).upper()}: {detail['msg']}"
            for detail in error.errors(include_input=False)
        ]
        raise SettingsInvalid("\n".join(lines)) from error
