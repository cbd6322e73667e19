"""Delivering a message to an endpoint: one signed POST, outside any transaction, to the address just resolved."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3
from sqlalchemy.orm import Session
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as TooSlow

from billing_core.database import Sessions
from billing_core.dates import utc_now
from billing_core.errors import UpstreamFailed
from billing_core.outbox.delivery import Adapter, Claimed, Unwanted
from billing_core.outgoing_webhooks.addresses import checked_url, host_of, public_address
from billing_core.outgoing_webhooks.models import WebhookEndpoint
from billing_core.outgoing_webhooks.signing import HEADER, secret_of, signature

TIMEOUT_SECONDS: Final = 10
# Enough to tell what went wrong there; longer answers are not read to the end.
_READ_BYTES: Final = 300

# The object of a message, such as ("invoice", 7), as the APIs publish it; None where there is none.
Rendering = Callable[[Session, str, int], Mapping[str, object] | None]
Serialising = Callable[[dict[str, Any]], bytes]


class Silent(UpstreamFailed):
    """No answer in time."""


def adapter(
    sessions: Sessions,
    *,
    signing_key: str,
    render: Rendering,
    serialise: Serialising = lambda body: json.dumps(body).encode(),
    private_allowed: bool,
) -> Adapter:
    """Delivers a message, or raises: ``Unwanted`` where the endpoint is gone, UpstreamFailed for everything else.

    An endpoint that timed out is skipped for a while: otherwise the others would wait as well, once for each message.
    """
    silent: set[int] = set()

    def call(message: Claimed) -> None:
        with sessions() as session:
            endpoint = session.get(WebhookEndpoint, int(message.subject_id))
            if endpoint is None or not endpoint.active:
                raise Unwanted("The address was removed in the meantime")
            kind, identity = message.content["about"]
            body = serialise(_body(message, render(session, str(kind), int(identity))))
            url = endpoint.url
            secret = secret_of(signing_key, endpoint.public_id, endpoint.secret_turn)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Billing-Webhooks/1",
            HEADER: signature(body, secret, utc_now()),
        }
        if endpoint.id in silent:
            raise Silent(f"{host_of(url)} did not answer a moment ago, so it was not asked")
        try:
            _post(checked_url(url, private_allowed=private_allowed), body, headers, private_allowed=private_allowed)
        except Silent:
            silent.add(endpoint.id)
            raise

    return call


def _body(message: Claimed, rendered: Mapping[str, object] | None) -> dict[str, Any]:
    return {
        "id": message.content["event_id"],
        "object": "event",
        "type": message.content["type"],
        "created": message.content["created"],
        "data": {"object": rendered or {}},
    }


def _post(url: str, body: bytes, headers: dict[str, str], *, private_allowed: bool) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    number = public_address(host, port, private_allowed=private_allowed)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {**headers, "Host": parts.netloc}
    timeout = urllib3.Timeout(total=TIMEOUT_SECONDS)
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        # The certificate must be the host name's, although the connection goes to the IP address.
        pool = urllib3.HTTPSConnectionPool(number, port, server_hostname=host, assert_hostname=host, timeout=timeout)
    else:
        pool = urllib3.HTTPConnectionPool(number, port, timeout=timeout)
    try:
        with pool:
            answer = pool.urlopen(
                "POST", target, body=body, headers=headers, redirect=False, retries=False, preload_content=False
            )
            body_text = answer.read(_READ_BYTES, decode_content=False).decode("utf-8", "replace")
            answer.close()
    except TooSlow:
        raise Silent(f"{host} did not answer within {TIMEOUT_SECONDS} seconds") from None
    except (HTTPError, OSError) as error:
        raise UpstreamFailed(f"{host} cannot be reached: {_cause(error)}") from None
    if not 200 <= answer.status < 300:
        printable = "".join(character if character.isprintable() else " " for character in body_text)
        raise UpstreamFailed(f"{host} answered {answer.status} {' '.join(printable.split())[:200]}".strip())


def _cause(error: Exception) -> str:
    return "its certificate is not valid" if "CERTIFICATE" in str(error).upper() else "no connection"
