"""Which gateway collects, in which mode, and what signs its events."""

import pytest

from billing_core.database import Sessions, connect
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments import configured
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.stripe.gateway import StripeGateway
from billing_core.settings import Settings

TEST = {"STRIPE_SECRET_KEY": "sk_test_abc", "STRIPE_WEBHOOK_SECRET": "whsec_abc"}


@pytest.fixture
def settings_of(tmp_path, monkeypatch):
    def read(**environment: str) -> Settings:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return Settings(data_dir=tmp_path)

    return read


@pytest.mark.parametrize("empty", [{}, {"STRIPE_SECRET_KEY": "", "STRIPE_WEBHOOK_SECRET": " "}])
def test_without_a_key_it_is_the_sandbox_whose_secret_stays_the_same(settings_of, sqlite_url, empty):
    settings, sessions = settings_of(**empty), Sessions(connect(sqlite_url))
    assert configured.mode(settings) is Mode.SANDBOX
    assert isinstance(configured.gateway(sessions, settings), SandboxGateway)
    assert configured.webhook_secret(settings) == configured.webhook_secret(settings_of(**empty))
    assert settings.signing_key() not in configured.webhook_secret(settings)
    sessions.engine.dispose()


def test_two_installations_do_not_believe_each_others_sandboxes(tmp_path):
    one, other = Settings(data_dir=tmp_path / "one"), Settings(data_dir=tmp_path / "other")
    assert configured.webhook_secret(one) != configured.webhook_secret(other)


def test_a_webhook_secret_alone_leaves_the_sandbox_its_own(settings_of):
    settings = settings_of(STRIPE_WEBHOOK_SECRET="whsec_abc")
    assert configured.mode(settings) is Mode.SANDBOX
    assert configured.webhook_secret(settings) != "whsec_abc"


@pytest.mark.parametrize(
    ("key", "mode"),
    [
        ("sk_test_abc", Mode.TEST),
        ("rk_test_abc", Mode.TEST),
        ("sk_live_abc", Mode.LIVE),
        (" rk_live_abc\n", Mode.LIVE),
    ],
)
def test_a_key_means_stripe_in_its_own_mode(settings_of, sqlite_url, key, mode):
    settings, sessions = settings_of(**TEST | {"STRIPE_SECRET_KEY": key}), Sessions(connect(sqlite_url))
    gateway = configured.gateway(sessions, settings)
    assert isinstance(gateway, StripeGateway)
    assert gateway.mode is configured.mode(settings) is mode
    assert configured.webhook_secret(settings) == "whsec_abc"
    sessions.engine.dispose()


def test_stripe_is_reached_where_the_settings_say(settings_of, stripe_stand_in, sqlite_url):
    sessions = Sessions(connect(sqlite_url))
    settings = settings_of(**stripe_stand_in.settings())
    assert configured.gateway(sessions, settings).check().account == "acct_standin"
    sessions.engine.dispose()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"STRIPE_SECRET_KEY": "sk_test_hidden"}, "STRIPE_SECRET_KEY is set without STRIPE_WEBHOOK_SECRET"),
        (TEST | {"STRIPE_SECRET_KEY": "pk_test_hidden"}, "not a secret key"),
        (TEST | {"STRIPE_SECRET_KEY": "whsec_hidden"}, "not a secret key"),
        (TEST | {"STRIPE_WEBHOOK_SECRET": "sk_test_hidden"}, "not a signing secret"),
    ],
)
def test_half_a_connection_refuses_to_start_and_shows_no_secret(settings_of, environment, words):
    with pytest.raises(SystemExit, match=words) as refused:
        settings_of(**environment)
    assert "hidden" not in str(refused.value)


def test_keys_do_not_show_in_the_settings_text(settings_of):
    text = repr(settings_of(**TEST))
    assert "sk_test_abc" not in text
    assert "whsec_abc" not in text
