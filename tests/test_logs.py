"""One line an event, whoever writes it."""

import logging

import pytest
import structlog

from billing_core import logs


@pytest.fixture
def configured():
    before = logging.lastResort.formatter
    logs.configure()
    yield
    structlog.reset_defaults()
    logging.lastResort.setFormatter(before)


def test_a_libraries_trace_is_one_line_with_the_request_and_nobody_breaks_it(configured, capsys):
    library = logging.Logger("uvicorn.error")
    try:
        raise RuntimeError("two\nlevel=info event=forged")
    except RuntimeError:
        with structlog.contextvars.bound_contextvars(request_id="0123456789ab"):
            library.exception("failed\nhere")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("timestamp=")
    assert " level=error event=failed\\nhere " in line
    assert " request_id=0123456789ab" in line
    assert "RuntimeError: two\\\\nlevel=info event=forged" in line
