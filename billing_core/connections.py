"""The addresses of what the product connects to. ValueError where one is wrong, in words that follow the name of a
setting and that do not repeat the address: it may hold a password. And why a mail server cannot be reached."""

import re
import socket
import ssl
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from billing_core.errors import UpstreamFailed

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_REDIS = re.compile(r"(rediss?|redis\+(unix|cluster|sentinel))://[^\s]")
_OUR_POSTGRESQL = "postgresql+psycopg"
_DATABASE = "must start with postgresql:// or sqlite:///, such as postgresql://user:password@host/name"
_DRIVERS = {"postgresql": _OUR_POSTGRESQL, "postgres": _OUR_POSTGRESQL, _OUR_POSTGRESQL: _OUR_POSTGRESQL}


@dataclass(frozen=True, slots=True)
class MailServer:
    """``tls``: "from the start", "required" or "never" by STARTTLS, or "offered": where the server has it."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def mail_server(url: str) -> MailServer:
    """The mail server that a URL names; user and password percent-encoded."""
    refusal = ValueError("must read smtp://user:password@host:587?starttls=1 or smtps://user:password@host:465")
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise refusal from None
    starttls = parse_qs(parts.query).get("starttls", [""])[-1]
    tls = {"": "offered", "1": "required", "0": "never"}.get(starttls)
    if parts.scheme not in ("smtp", "smtps") or not host or tls is None or port == 0:
        raise refusal
    if parts.scheme == "smtps":
        tls = "from the start"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(host, port or (465 if parts.scheme == "smtps" else 587), tls, user, password)


def failed(server: MailServer, error: OSError, *, seconds: float) -> UpstreamFailed:
    """The network's errors in words that an administrator can act on. It was waited for so many seconds."""
    match error:
        case ssl.SSLCertVerificationError():
            reason = f"The certificate of the mail server {server} is not valid: {error.verify_message}"
        case ssl.SSLError():
            reason = f"No encrypted connection to the mail server {server} could be made: is the port right?"
        case socket.gaierror():
            reason = f"There is no mail server {server}: its name cannot be resolved"
        case TimeoutError():
            reason = f"The mail server {server} did not answer within {seconds:g} seconds"
        case _:
            reason = f"The mail server {server} cannot be reached: {error.strerror or 'no connection'}"
    return UpstreamFailed(reason)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A folder of a mail server that speaks IMAP; its encryption is "from the start", "required" or "never"."""

    server: MailServer
    folder: str

    @property
    def name(self) -> str:
        return f"{self.server.user}@{self.server}/{self.folder}"

    def __str__(self) -> str:
        return f"“{self.folder}” at {self.server}"


def mailbox(url: str) -> Mailbox:
    """The mailbox that a URL names; user, password and folder percent-encoded. A folder beyond ASCII as IMAP has it."""
    refusal = ValueError(
        "must read imaps://user:password@host:993/INBOX or imap://user:password@host:143/INBOX?starttls=1"
    )
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise refusal from None
    starttls = parse_qs(parts.query).get("starttls", [""])[-1]
    # A password never leaves unencrypted by itself.
    tls = {"": "required", "1": "required", "0": "never"}.get(starttls)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    folder = unquote(parts.path.removeprefix("/")) or "INBOX"
    if parts.scheme not in ("imap", "imaps") or not (host and user and password) or tls is None or port == 0:
        raise refusal
    if not (folder.isascii() and folder.isprintable()) or '"' in folder or "\\" in folder or len(folder) > 200:
        raise ValueError("names a folder that is not as IMAP has it, such as INBOX or INBOX/Bounces")
    if parts.scheme == "imaps":
        tls = "from the start"
    return Mailbox(MailServer(host, port or (993 if parts.scheme == "imaps" else 143), tls, user, password), folder)


def database(url: str) -> str:
    """The URL of a database with the driver that we ship."""
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError):
        raise ValueError(_DATABASE) from None
    if parsed.drivername == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ValueError("must name a file, such as sqlite:////srv/billing/billing.sqlite3")
        return url.strip()
    if parsed.drivername not in _DRIVERS:
        raise ValueError(_DATABASE)
    if "@" in (parsed.host or ""):
        # Otherwise the end of the password would be taken for the host, and repeated in the message about it.
        raise ValueError("has an “@” in its password, which must be written %40")
    if not 0 < (parsed.port or 5432) < 65_536:
        raise ValueError("has no port from 1 to 65535")
    return f"{_DRIVERS[parsed.drivername]}://{url.strip().partition('://')[2]}"


def redis(url: str) -> str:
    """The address with the requirements of its kind: ports are numbers, and sentinels need a service name."""
    if not (_REDIS.match(url) and _is_complete_redis(url)):
        raise ValueError("is not the address of a Redis such as redis://:password@host:6379/0")
    return url


def _is_complete_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Of several hosts each has a port of its own.
        named = parts.scheme != "redis+sentinel" or len(parts.path) > 1
        return named and ("," in parts.netloc or parts.port != 0)
    except ValueError:
        return False


def website(url: str) -> str:
    """An HTTP address that browsers or programs use."""
    try:
        parts = urlsplit(url)
        complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        complete = False
    if not complete or parts.query or parts.fragment or parts.username or any(character.isspace() for character in url):
        raise ValueError("is not an address such as https://billing.example.com")
    return url


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks with commas between them, each as a network. None of them is everybody."""
    return tuple(_network(part.strip()) for part in text.split(",") if part.strip())


def _network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(f"names “{text}”, which is neither an address nor a network such as 10.0.0.0/8") from None
    if network.prefixlen == 0:
        raise ValueError(f"names “{text}”, which is everybody: anybody could then choose the address to be taken for")
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return ip_network(f"{mapped}/{network.prefixlen - 96}") if mapped and network.prefixlen > 96 else network
