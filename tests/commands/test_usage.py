"""``usage show``: the analytics document on the terminal."""

import json

import pytest

from billing_core import __main__, runtime
from billing_core.commands import usage
from billing_core.usage import document
from tests.usage.october import GENERATED, october

PERIOD = ["--from", "2023-10-01", "--to", "2023-10-31"]


@pytest.fixture
def shown(sessions, monkeypatch, capsys):
    """``shown("--customer", "C", …)``: (exit code, stdout, stderr)."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setattr(usage, "utc_now", lambda: GENERATED)

    def run(*options: str, as_json: bool = False):
        code = __main__.main([*(["--json"] if as_json else []), "usage", "show", *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_it_prints_the_analytics_document(shown, sessions):
    with sessions.begin() as session:
        october(session)
    for as_json in (False, True):
        code, out, err = shown("--customer", "EXAMPLE", *PERIOD, as_json=as_json)
        assert (code, err) == (0, "")
        assert json.loads(out) == document.EXAMPLE


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_unknown_customer_and_a_period_that_ends_before_it_begins_are_refused(shown):
    code, out, err = shown("--customer", "NOBODY", *PERIOD)
    assert (code, out) == (1, "")
    assert "There is no customer with the ref or id “NOBODY”" in err
    code, out, err = shown("--customer", "NOBODY", "--from", "2023-10-31", "--to", "2023-10-01")
    assert (code, out) == (1, "")
    assert "Start date must be before end date" in err
