"""Commands for curl as a document prints them, sent to the product under test."""

import shlex
from collections.abc import Mapping

from httpx import Response
from starlette.testclient import TestClient


def run(client: TestClient, command: str, replaced: Mapping[str, str]) -> Response:
    """Send the command, with nothing but these texts replaced (token, host and ids)."""
    for text, other in replaced.items():
        command = command.replace(text, other)
    program, *words = shlex.split(command.replace("\\\n", " "))
    assert program == "curl"
    method, address, headers, body = "", "", {}, None
    given = iter(words)
    for word in given:
        match word:
            case "-X":
                method = next(given)
            case "-H":
                name, _, value = next(given).partition(":")
                headers[name] = value.strip()
            case "-d":
                body = next(given).encode()
            case _:
                address = word
    return client.request(method or ("POST" if body else "GET"), address, headers=headers, content=body)
