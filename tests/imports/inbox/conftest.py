"""What tests of dropped files say: ``receive``, ``requested`` and ``files``."""

import io

import pytest

from billing_core.imports import inbox
from tests.imports.inbox.dropped import ADA, NOW


@pytest.fixture
def receive(sessions):
    def one(name: str, content: bytes, actor=ADA, now=NOW):
        return inbox.receive(sessions, actor, name, io.BytesIO(content), now=now)

    return one


@pytest.fixture
def requested(sessions):
    """Have the actor's files checked or imported, once a process comes; the job's id."""

    def one(request, *tokens: str, actor=ADA) -> int:
        with sessions.begin() as session:
            chosen = tokens or [received.token for received in inbox.files_of(session, actor)]
            return request(session, actor, chosen, now=NOW)

    return one


@pytest.fixture
def files(sessions):
    def of(actor=ADA):
        with sessions() as session:
            return inbox.files_of(session, actor)

    return of
