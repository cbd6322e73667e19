"""The real process, with the real dashboard behind the authentication."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
READY = re.compile(r"set-up\?token=\S+")


@pytest.fixture(scope="module")
def process(tmp_path_factory) -> Iterator[tuple[str, str]]:
    """The address of a freshly started product, and the set-up link that it printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = tmp_path_factory.mktemp("data")
    started = subprocess.Popen(
        [sys.executable, str(PROJECT / "app.py")],
        cwd=data,
        env={**os.environ, "BILLING_DATA_DIR": str(data), "PORT": str(port), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        link = next(found[0] for line in started.stdout if (found := READY.search(line)))
        address = f"http://localhost:{port}"
        with httpx.Client(transport=httpx.HTTPTransport(retries=20)) as client:
            assert client.get(f"{address}/healthz").json() == {"status": "ok"}
            ready = client.get(f"{address}/readyz").json()
            assert ready["status"] == "ok"
            assert "outbox delivery" in ready["jobs"]
        yield address, link
    finally:
        started.terminate()
        started.wait(300)
        started.stdout.close()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/reports",
        "/_stcore/health",
        "/_stcore/host-config",
        "/_stcore/metrics",
        "/_stcore/script-health-check",
        "/_stcore/upload_file/a/b",
        "/media/a.csv",
        "/static/index.html",
        "/index.html",
        "/favicon.png",
        "/component/a/b",
        "/bidi-components/a/b",
        "/oauth2callback",
        "/downloads/reports/1.csv",
        "/anything",
        "//evil.example",
    ],
)
def test_the_dashboard_answers_nobody_without_a_session(process, path):
    address, _ = process
    with httpx.Client() as client:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
            assert client.request(method, address + path).status_code == 401
        page = client.get(address + path, headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["location"]) == (303, "/auth/set-up")


def test_the_dashboards_websocket_answers_nobody_without_a_session(process):
    address, _ = process

    async def knock() -> int:
        try:
            async with connect(
                address.replace("http", "ws") + "/_stcore/stream", origin=address, subprotocols=["streamlit"]
            ):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    assert asyncio.run(knock()) == 403


def test_the_printed_link_opens_the_set_up(process):
    address, link = process
    with httpx.Client() as client:
        assert "Fill with a demo company" in client.get(f"{address}/auth/{link}").text


def test_a_secret_that_cannot_be_used_ends_the_process_in_one_sentence(tmp_path):
    (tmp_path / "secret_key").write_text("half of it")
    ended = subprocess.run(
        [sys.executable, str(PROJECT / "app.py")],
        cwd=tmp_path,
        env={**os.environ, "BILLING_DATA_DIR": str(tmp_path), "PORT": "0"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    (sentence,) = ended.stderr.splitlines()
    assert (ended.returncode, sentence.startswith("BILLING_DATA_DIR: the secret in ")) == (1, True)
