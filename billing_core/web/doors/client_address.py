"""Whose request it is: the address of the client itself, also behind proxies that the settings trust.

Each proxy adds whom it was asked by to the end of ``X-Forwarded-For``. So it is read from the right, as long as the
last one known is a proxy of ours: what stands further left is what the client says of itself, and is not believed.
RFC 7239's ``Forwarded`` is not read: a proxy that writes the one header passes the other on as a client made it up.
"""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from billing_core.connections import Address
from billing_core.settings import settings

# What one customer of a provider is given, and may choose from for each request.
_ONE_CLIENT_BITS: Final = 64
_SCHEMES: Final = {"http": {"http": "http", "https": "https"}, "websocket": {"http": "ws", "https": "wss"}}


class RealClient:
    """ASGI middleware around everything: ``client`` and ``scheme`` of the scope are those of the client."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = _address(scope["client"][0]) if scope.get("client") else None
        if peer is not None:
            # The same dictionary: what is around this reads what is noted in it.
            scope.update(_seen_through(scope, peer))
        return await self.app(scope, receive, send)


def address_of(scope: Scope) -> str:
    """The client's address as people write it; empty where it is unknown."""
    client = scope.get("client")
    return client[0] if client else ""


def whose(address: str) -> str:
    """By whom requests from an address are counted: an IPv6 client has 2^64 addresses, which are its network's."""
    known = _address(address)
    if isinstance(known, IPv6Address):
        return str(IPv6Network((known, _ONE_CLIENT_BITS), strict=False))
    return address


def _seen_through(scope: Scope, peer: Address) -> dict[str, Any]:
    if not settings().is_proxy(peer):
        return {"client": (str(peer), scope["client"][1])}
    headers, client, proxies = Headers(scope=scope), peer, 0
    further = [part.strip() for line in headers.getlist("x-forwarded-for") for part in line.split(",")]
    while settings().is_proxy(client):
        proxies += 1
        before = _address(further.pop()) if further else None
        if before is None:
            # Nobody, or nothing that is an address: the proxy is as far as we can see.
            break
        client = before
    port = scope["client"][1] if client == peer else 0
    seen: dict[str, Any] = {"client": (str(client), port)}
    protocols = [part.strip().lower() for line in headers.getlist("x-forwarded-proto") for part in line.split(",")]
    if protocols:
        # Of several, the one by the outermost of our proxies: its own client told what is before that.
        told = protocols[-min(proxies, len(protocols))]
        seen["scheme"] = _SCHEMES[scope["type"]].get(told, scope.get("scheme", "http"))
    return seen


@lru_cache(4096)
def _address(text: str) -> Address | None:
    """``[2001:db8::1]:443``, ``192.0.2.1:5000`` or the address alone; an IPv4 address is one however it is written."""
    if len(text) > 64:
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
