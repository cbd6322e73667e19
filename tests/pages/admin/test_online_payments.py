"""Where online payments are set up: the mode, the connection, and how each business collects. Never a secret."""

import pytest
from pydantic import SecretStr

from billing_core.businesses.queries import default_business
from billing_core.errors import UpstreamFailed
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import Connection
from billing_core.settings import settings
from tests.pages.invoicing import shown

KEY, SECRET = "sk_live_veryverysecret", "whsec_verysecrettoo"


@pytest.fixture
def database_url(sqlite_url):
    """What is read here is tested on both databases beside its queries."""
    return sqlite_url


class Answering:
    def __init__(self, answer):
        self.answer = answer

    def check(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def live(monkeypatch):
    """Settings as with Stripe's live keys in the environment."""
    monkeypatch.setattr(settings(), "stripe_secret_key", SecretStr(KEY))
    monkeypatch.setattr(settings(), "stripe_webhook_secret", SecretStr(SECRET))


def badges(page):
    return " | ".join(str(one.value) for one in page.markdown if "badge[" in str(one.value))


def test_without_keys_it_is_the_sandbox_and_names_the_variables(page_as):
    page = page_as("admin").visit("admin/online_payments.py")
    assert not page.exception
    said = shown(page)
    assert "no money moves" in said
    assert "`STRIPE_SECRET_KEY` :gray-badge[not set]" in said
    assert "/webhooks/stripe" in page.code[0].value
    assert "charge.refunded" in page.code[1].value


def test_live_mode_is_marked_on_every_page_and_no_secret_is_shown(page_as, live):
    visitor = page_as("admin")
    pages = (
        "overview.py",
        "invoices.py",
        "payments.py",
        "payment_links.py",
        "admin/online_payments.py",
        "admin/people.py",
    )
    for name in pages:
        page = visitor.visit(name)
        assert not page.exception, name
        assert "Live" in badges(page), name
        everything = shown(page) + " ".join(one.value for one in page.code) + badges(page)
        assert "verysecret" not in everything
    assert "`STRIPE_SECRET_KEY` :green-badge[set]" in shown(visitor.visit("admin/online_payments.py"))


def test_the_sandbox_is_marked_where_it_is_about_payments(page_as):
    visitor = page_as("finance")
    for name in ("payments.py", "payment_links.py", "admin/incoming_webhooks.py"):
        assert "Sandbox" in badges(visitor.visit(name)), name
    assert "Sandbox" not in badges(visitor.visit("invoices.py"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Connection(Mode.TEST, "acct_1", "Acme *Inc*"), "It responds, and we can collect."),
        (Connection(Mode.TEST, "acct_1", "Acme", ("Card payments are off",)), "Card payments are off"),
        (UpstreamFailed("Stripe does not know the secret key"), "Stripe does not know the secret key"),
    ],
)
def test_the_connection_is_checked_on_demand(page_as, monkeypatch, answer, said):
    monkeypatch.setattr("pages.ui.collection_mode.gateway", lambda: Answering(answer))
    page = page_as("admin").visit("admin/online_payments.py")
    assert said not in shown(page)
    page.button(key="check_connection").click().run()
    assert said in shown(page)
    if isinstance(answer, Connection):
        assert "acct_1" in shown(page)


def test_each_business_chooses_how_stripe_collects(page_as, sessions):
    with sessions() as session:
        business = default_business(session).id
    page = page_as("admin").visit("admin/online_payments.py")
    page.radio(key=f"collects_by_{business}").set_value("hosted_invoice").run()
    assert not page.exception
    with sessions() as session:
        assert default_business(session).collects_by == "hosted_invoice"


@pytest.mark.parametrize("role", ["finance", "manager"])
def test_only_administrators_see_it(page_as, role):
    page = page_as(role).visit("admin/online_payments.py")
    assert "Your role does not allow this page" in page.error[0].value
