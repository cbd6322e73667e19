"""``renewals run``: what is due of subscriptions at an instant, and what was done of it."""

import json

import pytest

from billing_core import __main__, runtime
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments import configured
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.settings import settings
from tests.subscriptions.signed_up import state
from tests.subscriptions.test_collecting import FAILS, acme, other_card, subscribed

__all__ = ["acme"]


@pytest.fixture
def ran(sessions, monkeypatch, capsys, data_dir):
    """``ran("--now", T)``: (exit code, stdout, stderr)."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)

    def run(*options: str, as_json: bool = True):
        code = __main__.main([*(["--json"] if as_json else []), "renewals", "run", *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def subscription(sessions, acme, data_dir) -> int:
    return subscribed(sessions, SandboxGateway(sessions, settings()), acme, trial_days=14)


def test_it_tells_subscription_period_invoice_attempt_and_status(ran, sessions, subscription):
    code, out, err = ran("--now", "2026-02-14T10:00:00Z")
    assert (code, err) == (0, "")
    ended, charged = json.loads(out)
    with sessions() as session:
        public_id = state(session, subscription).public_id
    days = "2026-02-14 to 2026-03-13"
    assert ended == {
        "subscription": public_id,
        "period": days,
        "invoice": "INV-2026-001",
        "attempt": "",
        "status": "active",
        "step": "trial_ended",
    }
    assert charged["attempt"].startswith("att_")
    said = {"subscription": public_id, "period": days, "invoice": "INV-2026-001", "status": "active"}
    assert charged == said | {"attempt": charged["attempt"], "step": "succeeded"}


def test_run_again_it_does_nothing(ran, subscription):
    ran("--now", "2026-02-14T10:00:00Z")
    assert ran("--now", "2026-02-14T10:00:00Z")[1] == "[]\n"
    assert ran("--now", "2026-02-14T10:00:00", as_json=False)[1] == "0 steps were due\n"


def test_people_read_a_line_for_each_step(ran, sessions, subscription):
    other_card(sessions, SandboxGateway(sessions, settings()), subscription, FAILS)
    code, out, _ = ran("--now", "2026-02-14T12:00:00+02:00", as_json=False)
    first, second, last = out.splitlines()
    assert (code, last) == (0, "2 steps were due")
    assert "trial_ended, 2026-02-14 to 2026-03-13, INV-2026-001" in first
    assert second.endswith("past_due")


def test_what_is_no_instant_is_wrong_usage(ran, subscription):
    with pytest.raises(SystemExit) as ended:
        ran("--now", "tomorrow")
    assert ended.value.code == 2


def test_another_instant_is_refused_where_real_money_is_collected(ran, subscription, monkeypatch):
    monkeypatch.setattr(configured, "mode", lambda _settings: Mode.LIVE)
    code, out, err = ran("--now", "2026-02-14T10:00:00Z")
    assert (code, out) == (1, "")
    assert "real money" in err
