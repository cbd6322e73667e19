"""Settings from the environment, read once at the edge of the process.

Names are a promise: ``BILLING_…``, ``STRIPE_…``, and ``PORT``.
"""

import hashlib
import hmac
import re
import secrets
from functools import cache
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?|https?://\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?")
_REDIS = re.compile(r"(rediss?|redis\+(unix|cluster|sentinel))://[^\s]")
PROJECT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """One field per setting; the README's table is tested against this list."""

    model_config = SettingsConfigDict(env_prefix="BILLING_", populate_by_name=True)

    data_dir: Path = Field(
        PROJECT / "data", description="Where the SQLite file, the generated secret and stored documents live"
    )
    database_url: str = Field(
        "", description="SQLAlchemy or libpq URL of a PostgreSQL; empty: SQLite in the data folder"
    )
    secret_key: SecretStr | None = Field(
        None, description="Signs tokens; at least 32 characters. Unset: made once and kept in the data folder"
    )
    public_url: str = Field(
        "", description="The address people use, such as https://billing.example.com; https makes cookies Secure"
    )
    redis_url: str = Field("", description="Shares rate limits between processes; empty: in memory")
    smtp_url: SecretStr | None = Field(
        None,
        description="The mail server, such as smtp://user:password@host:587?starttls=1 or smtps://user:password@host; "
        "unset: mails are held back",
    )
    mail_from: str = Field("", description="The address that mails come from; unset: the user of the mail server")
    trusted_origins: str = Field(
        "",
        description="Other sites whose pages may use the APIs with a signed-in browser, such as "
        "https://app.example.com; several with commas",
    )
    metrics: SecretStr | None = Field(
        None,
        description="Serve /metrics for Prometheus: a token of at least 16 characters that it sends as bearer, or “on” "
        "for everybody who reaches the address; unset: there is none",
    )
    session_idle_minutes: int = Field(480, ge=5, description="A session unused for this long ends")
    session_max_hours: int = Field(168, ge=1, description="A session ends after this long, however much it is used")
    stripe_secret_key: SecretStr | None = Field(
        None,
        validation_alias="STRIPE_SECRET_KEY",
        description="Stripe's secret or restricted key; unset: the embedded sandbox, where no money moves",
    )
    stripe_webhook_secret: SecretStr | None = Field(
        None,
        validation_alias="STRIPE_WEBHOOK_SECRET",
        description="Signs what Stripe tells us; needed with a key",
    )
    stripe_api_base: str = Field(
        "https://api.stripe.com", validation_alias="STRIPE_API_BASE", description="Where Stripe is reached"
    )
    port: int = Field(8501, validation_alias="PORT", description="The port of the whole product")

    # Read once: the requests of programs need it.
    _kept: str = PrivateAttr("")

    @field_validator("stripe_secret_key", "stripe_webhook_secret", mode="before")
    @classmethod
    def _empty_is_unset(cls, given: SecretStr | str | None) -> SecretStr | str | None:
        """A file of settings often names what it leaves empty."""
        text = given.get_secret_value() if isinstance(given, SecretStr) else given
        return (text or "").strip() or None

    @model_validator(mode="after")
    def _stripe_is_complete(self) -> Self:
        """Half a connection would take money that nobody hears of. Says so without showing a key."""
        if self.stripe_secret_key is None:
            return self
        if not self.stripe_secret_key.get_secret_value().startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
            raise SystemExit("STRIPE_SECRET_KEY is not a secret key of Stripe: those start with sk_ or rk_")
        if self.stripe_webhook_secret is None:
            raise SystemExit(
                "STRIPE_SECRET_KEY is set without STRIPE_WEBHOOK_SECRET: payments would arrive unnoticed. "
                "Copy the signing secret (whsec_…) of the webhook endpoint from Stripe's dashboard"
            )
        if not self.stripe_webhook_secret.get_secret_value().startswith("whsec_"):
            raise SystemExit("STRIPE_WEBHOOK_SECRET is not a signing secret of Stripe: those start with whsec_")
        return self

    allow_private_webhooks: bool = Field(
        False,
        description="Lets outgoing webhooks go to private and loopback addresses, and without encryption",
    )

    @field_validator("redis_url")
    @classmethod
    def _redis_can_be_one(cls, given: str) -> str:
        """Another address would fail at every request. It is not repeated: it may hold a password."""
        text = given.strip()
        if text and not _is_redis(text):
            raise SystemExit("BILLING_REDIS_URL is not the address of a Redis such as redis://:password@host:6379/0")
        return text

    @field_validator("trusted_origins")
    @classmethod
    def _origins_are_sites(cls, given: str) -> str:
        """A pattern such as “*” would trust everybody with people's sessions."""
        for origin in filter(None, (one.strip().rstrip("/") for one in given.split(","))):
            if not _ORIGIN.fullmatch(origin):
                raise SystemExit(f"BILLING_TRUSTED_ORIGINS: “{origin}” is not a site such as https://app.example.com")
        return given

    @property
    def sqlalchemy_url(self) -> str:
        """The database's URL with the driver that we ship."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir / 'billing.sqlite3'}"
        for prefix in ("postgresql://", "postgres://"):
            if self.database_url.startswith(prefix):
                return "postgresql+psycopg://" + self.database_url.removeprefix(prefix)
        return self.database_url

    @property
    def served_over_https(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def trusted(self) -> frozenset[str]:
        """The trusted origins as browsers send them: scheme, name and port, without a slash at the end."""
        return frozenset(one.strip().rstrip("/").lower() for one in self.trusted_origins.split(",") if one.strip())

    @property
    def metrics_token(self) -> str | None:
        """What must be sent to see the metrics; empty: nothing; None: they are not served."""
        given = self.metrics.get_secret_value().strip() if self.metrics else ""
        if given.lower() in ("", "0", "off", "false", "no"):
            return None
        if given.lower() in ("1", "on", "true", "yes"):
            return ""
        if len(given) < 16:
            raise SystemExit("BILLING_METRICS is too short: a token needs at least 16 characters, or write “on”")
        return given

    @property
    def address(self) -> str:
        """The product's address without a trailing slash, for links that leave the browser."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def host(self) -> str:
        """The address's name alone, without scheme and port."""
        return urlsplit(self.address).hostname or "localhost"

    def derived(self, purpose: str) -> bytes:
        """A secret for one purpose, made of the product's own: none of them tells of that one or of another."""
        return hmac.new(self.signing_key().encode(), purpose.encode(), hashlib.sha256).digest()

    def signing_key(self) -> str:
        """The secret that signs tokens. Refuses a short one; without one, makes it and keeps it in the data folder."""
        if self.secret_key is not None:
            key = self.secret_key.get_secret_value()
            if len(key) < 32:
                raise SystemExit("BILLING_SECRET_KEY is too short: it needs at least 32 characters")
            return key
        if not self._kept:
            self._kept = _kept_secret(self.data_dir / "secret_key")
        return self._kept


def _is_redis(text: str) -> bool:
    """Whether an address has what its kind needs: ports are numbers, and sentinels are asked for a service by name."""
    if not _REDIS.match(text):
        return False
    try:
        parts = urlsplit(text)
        # Of several hosts each has a port of its own.
        named = parts.scheme != "redis+sentinel" or len(parts.path) > 1
        return named and ("," in parts.netloc or parts.port != 0)
    except ValueError:
        return False


def _kept_secret(file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x") as fresh:
            file.chmod(0o600)
            fresh.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return file.read_text().strip()


@cache
def settings() -> Settings:
    """The process's settings. Tests clear this cache after changing the environment."""
    return Settings()  # type: ignore[call-arg]
