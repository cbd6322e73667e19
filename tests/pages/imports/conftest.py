"""Files that are dropped in tests of the import page are worked on at once."""

import pytest

from billing_core.imports import steps
from billing_core.jobs import imports


@pytest.fixture(autouse=True)
def at_once(sessions, monkeypatch):
    """What a process in the background would do is done before the page is drawn again."""
    monkeypatch.setattr(imports, "begin", lambda job_id: steps.work_off(sessions, job_id))
