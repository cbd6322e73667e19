"""The company whose bill runs the page of reports starts and shows."""

import pytest

from billing_core.jobs import bill_run
from tests.pages.filled import fill


@pytest.fixture
def begun(monkeypatch) -> list[int]:
    """The runs that the page has had begun. Nobody works on them."""
    runs: list[int] = []
    monkeypatch.setattr(bill_run, "begin", runs.append)
    return runs


@pytest.fixture
def company(sessions, begun):
    return fill(sessions)
