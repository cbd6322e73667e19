"""Somebody who signs in."""

from datetime import UTC, datetime

import pytest

from billing_core.identity import Role
from billing_core.identity.models import User

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def user(session):
    found = User(
        email="ana@example.com",
        name="Ana",
        role=Role.MANAGER,
        password_hash=None,
        customer_id=None,
        active=True,
        created_at=NOW,
        last_sign_in_at=None,
    )
    session.add(found)
    session.flush()
    return found
