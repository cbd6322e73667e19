"""What is said after a change."""

import pytest
from pydantic import SecretStr

from billing_core.settings import settings
from pages.ui import formats, messages


def test_a_mail_is_on_its_way_where_there_is_a_mail_server(monkeypatch):
    monkeypatch.setattr(settings(), "smtp_url", SecretStr("smtp://mail.example"))
    assert messages.mailed("The invoice", "ana@example.com") == "The invoice is on its way to ana@example.com"


def test_a_mail_stays_in_the_outbox_where_there_is_none(monkeypatch):
    monkeypatch.setattr(settings(), "smtp_url", None)
    said = messages.mailed("The invoice", "ana@example.com")
    assert said == "The invoice for ana@example.com stays in the outbox: no mail server is set up"


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("bank_transfer", "by bank transfer"),
        ("cash", "in cash"),
        ("card", "by card"),
        ("stripe", "through Stripe"),
        ("other", "in another way"),
    ],
)
def test_a_way_of_payment_follows_the_word_paid(method, words):
    assert formats.by_method(method) == words
