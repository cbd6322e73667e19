"""Both documents of the reports API."""

import pytest


@pytest.fixture
def database_url(sqlite_url):
    """What the documents say does not depend on the database."""
    return sqlite_url
