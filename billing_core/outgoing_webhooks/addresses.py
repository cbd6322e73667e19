"""The addresses that messages may be sent to: servers on the internet, not machines of our own network.

Otherwise a registered address could make us send requests to internal services.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from billing_core.errors import Invalid, UpstreamFailed
from billing_core.text import control_character

LONGEST_URL = 1000
# Gateways translate these into the IPv4 address in their last 32 bits.
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
# In private networks, or in none, although they count as global.
_LOCAL = tuple(map(ipaddress.IPv6Network, ("::/96", "64:ff9b:1::/48", "fec0::/10")))


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def checked_url(url: str, *, private_allowed: bool) -> str:
    """The address as it is stored; Invalid where messages cannot or must not be sent to it."""
    stripped = url.strip()
    reason = _fault(stripped, private_allowed=private_allowed)
    if reason:
        raise Invalid(f"The address {reason}", fields={"url": reason})
    return stripped


def public_address(host: str, port: int, *, private_allowed: bool) -> str:
    """The host's present IP address, to connect to exactly that: a later change of DNS has no effect.

    Invalid for a private network, UpstreamFailed where there is none.
    """
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UpstreamFailed(f"There is no server {host}: its name cannot be resolved") from None
    numbers = [str(entry[4][0]) for entry in entries]
    for number in numbers:
        if private_allowed or _is_public(number):
            return number
    raise Invalid(f"{host} is in a private network: nothing is sent there", fields={"url": "is in a private network"})


def _fault(url: str, *, private_allowed: bool) -> str:
    if len(url) > LONGEST_URL:
        return f"may have at most {LONGEST_URL} characters"
    if control_character(url) or any(character.isspace() for character in url):
        return "has a character in it that no address has"
    if not url.isascii():
        return "must be written as programs send it: names as xn--…, other letters as %C3%BC"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "cannot be read"
    if parts.scheme not in (("https", "http") if private_allowed else ("https",)) or not host:
        return "must begin with https:// and name a server"
    if parts.username or parts.password:
        return "must not contain a password"
    if not private_allowed and not _may_be_public(host):
        return "is in a private network"
    return ""


def _may_be_public(host: str) -> bool:
    """Names are looked up when a message is sent; numbers and names that mean this machine are known at once."""
    host = host.removesuffix(".")
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return False
    try:
        return _is_public(host)
    except ValueError:
        # 127.1 and 0x7f000001 are IP addresses to a resolver too.
        try:
            return _is_public(socket.inet_ntoa(socket.inet_aton(host)))
        except (OSError, UnicodeError):
            return "." in host


def _is_public(number: str) -> bool:
    address = ipaddress.ip_address(number.partition("%")[0])
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if address in _TRANSLATED:
        inner = ipaddress.IPv4Address(int(address) % 2**32)
    local = address.is_multicast or any(address in network for network in _LOCAL)
    return address.is_global and not local and (inner is None or inner.is_global)
