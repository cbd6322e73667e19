"""Commands for curl as a document prints them, sent to the product under test."""

import shlex
from collections.abc import Mapping
from types import MappingProxyType

from httpx import Response
from starlette.testclient import TestClient


def run(
    client: TestClient, command: str, replaced: Mapping[str, str], files: Mapping[str, bytes] = MappingProxyType({})
) -> Response:
    """Send the command, with nothing but these texts replaced (token, host and ids). ``files``: by their names."""
    for text, other in replaced.items():
        command = command.replace(text, other)
    program, *words = shlex.split(command.replace("\\\n", " "))
    assert program == "curl"
    method, address, headers, body, parts = "", "", {}, None, {}
    given = iter(words)
    for word in given:
        match word:
            case "-X":
                method = next(given)
            case "-H":
                name, _, value = next(given).partition(":")
                headers[name] = value.strip()
            case "-F":
                name, _, value = next(given).partition("=")
                parts[name] = (value[1:], files[value[1:]]) if value.startswith("@") else (None, value)
            case "-d":
                body = next(given).encode()
            case _:
                address = word
    method = method or ("POST" if body or parts else "GET")
    sent = {"files": parts} if parts else {"content": body}
    return client.request(method, address, headers=headers, **sent)
