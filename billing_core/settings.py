"""Settings from the environment, read once at the edge of the process.

Names are a promise: ``BILLING_…``, ``STRIPE_…``, and ``PORT``.
"""

import errno
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from billing_core import connections
from billing_core.email_addresses import address_fault
from billing_core.whole_files import publish

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?|https?://\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?")
_ADDRESSES: dict[str, Callable[[str], object]] = {
    "database_url": connections.database,
    "redis_url": connections.redis,
    "smtp_url": connections.mail_server,
    "bounce_mailbox": connections.mailbox,
    "public_url": connections.website,
    "stripe_api_base": connections.website,
}
_SHORTEST_SECRET = 32
_SHORTEST_TOKEN = 16
_METRICS_OFF = ("", "0", "off", "false", "no")
_METRICS_ON = ("1", "on", "true", "yes")
# pydantic's errors in words that follow the name of a setting.
_WRONG = {
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "bool_parsing": "must be “true” or “false”",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
PROJECT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """One field per setting; the table in ``docs/configuration.md`` is tested against this list. Empty text counts as
    unset. What is wrong ends the process with one sentence that names the setting.
    """

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
        "unset: mails are kept, and nobody gets them",
    )
    mail_from: str = Field("", description="The address that mails come from; unset: the user of the mail server")
    bounce_address: str = Field(
        "",
        description="The address to which mail servers return our mails (the envelope's sender); unset: the address "
        "that mails come from",
    )
    bounce_mailbox: SecretStr | None = Field(
        None,
        description="The mailbox of that address, read by IMAP, such as imaps://user:password@host:993/INBOX or "
        "imap://user:password@host/INBOX?starttls=1; unset: none is read",
    )
    bounce_secret: SecretStr | None = Field(
        None,
        description="Returned mails may be handed over at /webhooks/bounces with this secret, of at least 32 "
        "characters, as bearer; unset: they may not",
    )
    trusted_origins: str = Field(
        "",
        description="Other sites whose pages may use the APIs with a signed-in browser, such as "
        "https://app.example.com; several with commas",
    )
    trusted_proxies: str = Field(
        "",
        description="Proxies in front of the product, by address or network, such as 127.0.0.1, 10.0.0.0/8: who their "
        "clients are is read from X-Forwarded-For and X-Forwarded-Proto; empty: nobody is believed",
    )
    metrics: SecretStr | None = Field(
        None,
        description="Serve /metrics for Prometheus: a token of at least 16 characters that it sends as bearer, or “on” "
        "for everybody who reaches the address; unset: there is none",
    )
    session_idle_minutes: int = Field(480, ge=5, le=525_600, description="A session unused for this long ends")
    session_max_hours: int = Field(
        168, ge=1, le=87_600, description="A session ends after this long, however much it is used"
    )
    keep_jobs_days: int = Field(
        30, ge=1, le=3_650, description="Finished background jobs and ended processes are kept for so many days"
    )
    move_notice_days: int = Field(
        30,
        ge=0,
        le=365,
        description="Subscriptions go on with another version of their plan after so many days of notice, at least",
    )
    archive_usage_after_months: int | None = Field(
        None,
        ge=1,
        le=1_200,
        description="Events of usage that are older than so many months go into archives, once a day; needs their "
        "folder. Unset: by command alone",
    )
    archive_usage_dir: Path | None = Field(
        None, description="The folder of these archives, which has to be there; every process needs it"
    )
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
    stripe_account: str = Field(
        "",
        validation_alias="STRIPE_ACCOUNT",
        description="Our own account at Stripe (acct_…), where one webhook endpoint receives the events of several",
    )
    stripe_api_base: str = Field(
        "https://api.stripe.com", validation_alias="STRIPE_API_BASE", description="Where Stripe is reached"
    )
    port: int = Field(8501, ge=0, le=65_535, validation_alias="PORT", description="The port of the whole product")

    allow_private_webhooks: bool = Field(
        False,
        description="Lets outgoing webhooks go to private and loopback addresses, and without encryption",
    )

    # Read once: the requests of programs need it.
    _kept: str = PrivateAttr("")
    _proxies: tuple[connections.Network, ...] | None = PrivateAttr(None)

    @field_validator("*", mode="before")
    @classmethod
    def _has_no_spaces_around_it(cls, given: Any, info: ValidationInfo) -> Any:
        # Tokens and webhook secrets are derived from the secret exactly as it was given.
        return given.strip() if isinstance(given, str) and info.field_name != "secret_key" else given

    @field_validator(*_ADDRESSES)
    @classmethod
    def _is_an_address(cls, given: str | SecretStr | None, info: ValidationInfo) -> str | SecretStr | None:
        if given:
            _ADDRESSES[info.field_name or ""](_plain(given))
        return given

    @field_validator("data_dir", "archive_usage_dir")
    @classmethod
    def _is_a_folder(cls, given: Path | None) -> Path | None:
        # Unlike a Path, which raises without permission to look.
        if given is not None and os.path.exists(given) and not os.path.isdir(given):
            raise ValueError(f"must name a folder, and {given} is a file")
        return given

    @field_validator("secret_key", "bounce_secret")
    @classmethod
    def _cannot_be_guessed(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None and len(given.get_secret_value()) < _SHORTEST_SECRET:
            raise ValueError(f"is too short: it needs at least {_SHORTEST_SECRET} characters")
        return given

    @field_validator("metrics")
    @classmethod
    def _is_a_token_or_a_switch(cls, given: SecretStr | None) -> SecretStr | None:
        text = _plain(given or "").lower()
        if text not in (*_METRICS_OFF, *_METRICS_ON) and len(text) < _SHORTEST_TOKEN:
            raise ValueError(f"is too short: a token needs at least {_SHORTEST_TOKEN} characters, or write “on”")
        return given

    @field_validator("stripe_account")
    @classmethod
    def _is_an_account(cls, given: str) -> str:
        if given and not given.startswith("acct_"):
            raise ValueError("is not an account of Stripe: those start with acct_")
        return given

    @field_validator("mail_from", "bounce_address")
    @classmethod
    def _is_an_email_address(cls, given: str) -> str:
        if given and (fault := address_fault(given)):
            raise ValueError(fault)
        return given

    @field_validator("trusted_origins")
    @classmethod
    def _are_sites(cls, given: str) -> str:
        """A pattern such as “*” would trust everybody with people's sessions."""
        for origin in filter(None, (part.strip().rstrip("/") for part in given.split(","))):
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"names “{origin}”, which is not a site such as https://app.example.com")
        return given

    @field_validator("trusted_proxies")
    @classmethod
    def _are_proxies(cls, given: str) -> str:
        connections.networks(given)
        return given

    @model_validator(mode="after")
    def _archives_have_a_folder(self) -> Self:
        if self.archive_usage_after_months is not None and self.archive_usage_dir is None:
            raise ValueError(
                "BILLING_ARCHIVE_USAGE_AFTER_MONTHS is set without BILLING_ARCHIVE_USAGE_DIR, the archives' folder"
            )
        return self

    @model_validator(mode="after")
    def _stripe_is_complete(self) -> Self:
        """Half a connection would take money unnoticed. The message shows no key."""
        if self.stripe_secret_key is None:
            return self
        if not self.stripe_secret_key.get_secret_value().startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
            raise ValueError("STRIPE_SECRET_KEY is not a secret key of Stripe: those start with sk_ or rk_")
        if self.stripe_webhook_secret is None:
            raise ValueError(
                "STRIPE_SECRET_KEY is set without STRIPE_WEBHOOK_SECRET: payments would arrive unnoticed. "
                "Copy the signing secret (whsec_…) of the webhook endpoint from Stripe's dashboard"
            )
        if not self.stripe_webhook_secret.get_secret_value().startswith("whsec_"):
            raise ValueError("STRIPE_WEBHOOK_SECRET is not a signing secret of Stripe: those start with whsec_")
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _ends_in_one_sentence(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # The last validator, so that it sees all other refusals. Settings files may list settings without a value.
        filled = {name: value for name, value in given.items() if not _is_blank(value)}
        try:
            return handler(filled)
        except ValidationError as error:
            raise SystemExit(_sentence(error.errors()[0])) from None

    @property
    def sqlalchemy_url(self) -> str:
        """The database's URL with the driver that we ship."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir / 'billing.sqlite3'}"
        return connections.database(self.database_url)

    @property
    def mail_server(self) -> connections.MailServer | None:
        """The mail server; None: mails are kept."""
        return None if self.smtp_url is None else connections.mail_server(self.smtp_url.get_secret_value())

    @property
    def sends_mails(self) -> bool:
        """Whether there is a mail server. Without one mails are kept: they can be read, and nobody gets them."""
        return self.smtp_url is not None

    @property
    def bounces_from(self) -> connections.Mailbox | None:
        """The mailbox to which mails come back; None: none is read."""
        return None if self.bounce_mailbox is None else connections.mailbox(self.bounce_mailbox.get_secret_value())

    @property
    def served_over_https(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def trusted(self) -> frozenset[str]:
        """The trusted origins as browsers send them: scheme, name and port, without a slash at the end."""
        return frozenset(one.strip().rstrip("/").lower() for one in self.trusted_origins.split(",") if one.strip())

    def is_proxy(self, address: connections.Address) -> bool:
        """Whether the settings trust the requests of this address to tell whose they are."""
        if self._proxies is None:
            self._proxies = connections.networks(self.trusted_proxies)
        return any(address in network for network in self._proxies)

    @property
    def metrics_token(self) -> str | None:
        """The token that /metrics requires; empty: no token; None: metrics are not served."""
        given = _plain(self.metrics or "")
        if given.lower() in _METRICS_OFF:
            return None
        return "" if given.lower() in _METRICS_ON else given

    @property
    def address(self) -> str:
        """The product's address without a trailing slash, for links that leave the browser."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def host(self) -> str:
        """The address's name alone, without scheme and port."""
        return urlsplit(self.address).hostname or "localhost"

    def derived(self, purpose: str) -> bytes:
        """A secret for one purpose, derived from the product's own; none reveals that one or another."""
        # What somebody typed may be part of it, and hold half a character.
        known = purpose.encode("utf-8", "surrogatepass")
        return hmac.new(self.signing_key().encode(), known, hashlib.sha256).digest()

    def signing_key(self) -> str:
        """The secret that signs tokens. Unless given, it is made once and stored in the data folder."""
        if self.secret_key is not None:
            return self.secret_key.get_secret_value()
        if not self._kept:
            self._kept = _kept_secret(self.data_dir / "secret_key")
        return self._kept

    def usable_data_dir(self) -> Path:
        """The data folder, created where it is missing. Ends the process where it is unusable."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            if not os.access(self.data_dir, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise SystemExit(f"BILLING_DATA_DIR: the folder {self.data_dir} cannot be used: {error.strerror}") from None
        return self.data_dir


def _is_blank(given: Any) -> bool:
    return isinstance(given, str | SecretStr) and not _plain(given)


def _plain(given: str | SecretStr) -> str:
    return (given.get_secret_value() if isinstance(given, SecretStr) else given).strip()


def _sentence(wrong: ErrorDetails) -> str:
    """What is wrong with a setting, never its value."""
    known = wrong.get("ctx", {})
    reason = str(known["error"]) if "error" in known else _WRONG.get(wrong["type"], wrong["msg"]).format(**known)
    name = "".join(str(part) for part in wrong["loc"])
    if not name:
        return reason
    return f"{name if name.isupper() else f'BILLING_{name.upper()}'} {reason}"


def _kept_secret(file: Path) -> str:
    """The secret in this file, created where there is none. Concurrent processes get the same."""
    try:
        if not file.exists():
            _make_secret(file)
        kept = file.read_text(errors="replace").strip()
    except OSError as error:
        raise SystemExit(f"BILLING_DATA_DIR: the secret in {file} cannot be made or read: {error.strerror}") from None
    if len(kept) < _SHORTEST_SECRET:
        raise SystemExit(f"BILLING_DATA_DIR: the secret in {file} is incomplete: restore the file, or delete it")
    return kept


def _make_secret(file: Path) -> None:
    """Whole or not at all: a partial secret would sign what nobody can verify afterwards."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as text:
            text.write(secrets.token_urlsafe(48))
        with suppress(FileExistsError):
            publish(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)


@cache
def settings() -> Settings:
    """The process's settings. Tests clear this cache after changing the environment."""
    return Settings()  # type: ignore[call-arg]
