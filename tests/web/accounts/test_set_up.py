"""The first start."""

import re
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from billing_core import demo
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.demo import billing as demo_billing
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM, Role
from billing_core.identity.models import User
from billing_core.reports.models import BillingReport
from billing_core.web.accounts import demo_filling, set_up
from tests.web.forms import PASSWORD, submit

pytestmark = pytest.mark.slow

ANSWERS = {
    "name": "Ana Lima",
    "email": "ana@example.com",
    "password": PASSWORD,
    "repeated": PASSWORD,
    "business": "Söhne & Co",
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
}


@pytest.fixture
def link(product) -> str:
    address = set_up.fresh_address()
    assert address.startswith("http://localhost:8501/auth/set-up?token=")
    return address.removeprefix("http://localhost:8501")


def answer(visitor, link, **answers):
    return submit(visitor, link, "/auth/set-up", token=link.partition("=")[2], **{**ANSWERS, **answers})


def test_whoever_has_the_link_becomes_the_administrator(visitor, link, sessions):
    done = answer(visitor, link)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert visitor.get("/").text == "inside"
    with sessions() as session:
        user = session.scalars(select(User)).one()
        business = default_business(session)
        assert (user.email, user.role) == ("ana@example.com", Role.ADMIN)
        assert (business.name, business.currency, business.time_zone) == ("Söhne & Co", "EUR", "Europe/Berlin")


def test_what_every_invoice_says_of_us_is_asked_for_and_may_be_left_for_later(visitor, link, sessions):
    form = visitor.get(link).text
    for name in ("address", "country", "tax_id", "bank_details"):
        assert f'name="{name}"' in form
    said = {"address": "Am Markt 1\r\n10115 Berlin", "country": "DE", "tax_id": "DE123", "bank_details": "IBAN DE89"}
    refused = answer(visitor, link, **said | {"tax_id": "x" * 65}).text
    assert "Tax number may have at most 64 characters" in refused
    assert "Am Markt 1" in refused
    answer(visitor, link, **said)
    with sessions() as session:
        business = default_business(session)
        assert (business.address, business.country) == ("Am Markt 1\r\n10115 Berlin", "DE")
        assert (business.tax_id, business.bank_details) == ("DE123", "IBAN DE89")


def test_afterwards_page_and_link_are_dead(browser, link):
    form = browser()
    form.get(link)
    answer(browser(), link)
    late = browser()
    assert late.get(link).headers["location"] == "/auth/sign-in"
    assert late.get("/auth/set-up").headers["location"] == "/auth/sign-in"
    token = link.partition("=")[2]
    submitted = submit(form, "/auth/sign-in", "/auth/set-up", token=token, **{**ANSWERS, "email": "eve@example.com"})
    assert submitted.status_code == 404
    assert set_up.fresh_address() is None


@pytest.mark.parametrize("token", ["", "x", "0" * 43])
def test_without_the_token_nothing_is_set_up(visitor, link, sessions, token):
    refused = submit(visitor, link, "/auth/set-up", token=token, **ANSWERS)
    assert refused.status_code == 404
    with sessions() as session:
        assert session.scalars(select(User)).all() == []


def test_a_wrong_token_shows_no_form(visitor, link):
    assert "<form" not in visitor.get("/auth/set-up?token=x", headers={"Accept": "text/html"}).text


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"name": " "}, "Your name is needed"),
        ({"email": "ana"}, "is not an e-mail address"),
        ({"password": "short", "repeated": "short"}, "at least 12 characters"),
        ({"repeated": "something else"}, "is not the same"),
        ({"business": ""}, "Business name is needed"),
        ({"currency": "XXQ"}, "is not a currency code"),
        ({"time_zone": "Nowhere"}, "is not a time zone"),
    ],
)
def test_wrong_answers_are_named_and_the_others_kept(visitor, link, sessions, answers, said):
    refused = answer(visitor, link, **answers)
    assert refused.status_code == 400
    assert said in refused.text
    if "business" not in answers:
        assert "Söhne &amp; Co" in refused.text
    assert PASSWORD not in refused.text
    with sessions() as session:
        assert session.scalars(select(User)).all() == []


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({}, "name"),
        ({"email": "ana", "business": ""}, "email"),
        ({"repeated": "x"}, "repeated"),
        ({"currency": "XXQ"}, "currency"),
    ],
)
def test_the_keyboard_starts_at_the_first_answer_that_cannot_be_used(visitor, link, answers, field):
    page = answer(visitor, link, **answers) if answers else visitor.get(link)
    assert re.findall(r'<(?:input|select) id="(\w+)"[^>]* autofocus', page.text) == [field]


@pytest.fixture
def fresh_filling(monkeypatch):
    filling = demo_filling.DemoFilling()
    monkeypatch.setattr(set_up, "filling", filling)
    return filling


def test_the_demo_company_is_made_in_the_background(visitor, link, sessions, fresh_filling, monkeypatch):
    made = demo.fill

    def small(sessions, actor, **facts):
        return made(sessions, actor, **facts, orders=40, months=2, calls=400, subscriptions=2)

    monkeypatch.setattr(demo, "fill", small)
    done = answer(visitor, link, demo="yes")
    assert done.headers["location"] == "/auth/filling"
    assert visitor.get("/auth/filling").status_code in (200, 303)
    fresh_filling.wait()
    assert visitor.get("/auth/filling").headers["location"] == "/"
    with sessions() as session:
        assert session.scalars(select(Customer.id).limit(1)).all()
        assert default_business(session).name == "Söhne & Co"


def test_a_filling_that_was_cut_off_is_finished_when_the_process_starts_again(
    product, sessions, fresh_filling, monkeypatch
):
    def cut_off(*_):
        raise Conflict("The process ends here")

    facts = {
        "today": date(2026, 11, 21),
        "now": datetime(2026, 11, 21, tzinfo=UTC),
        "orders": 40,
        "months": 2,
        "calls": 400,
        "subscriptions": 2,
    }
    with monkeypatch.context() as patched:
        patched.setattr(demo_billing, "bill", cut_off)
        with pytest.raises(Conflict):
            demo.fill(sessions, SYSTEM, **facts)
    fresh_filling.resume()
    fresh_filling.wait()
    assert fresh_filling.done
    with sessions() as session:
        assert not demo.unfinished(session)
        assert session.scalar(select(BillingReport.id).limit(1)) is not None


def test_nothing_is_made_when_the_process_starts_without_a_filling_cut_off(product, sessions, fresh_filling):
    fresh_filling.resume()
    fresh_filling.wait()
    with sessions() as session:
        assert session.scalar(select(Customer.id).limit(1)) is None


def test_a_filling_that_fails_says_so(visitor, link, fresh_filling, monkeypatch):
    def refuse(*_, **__):
        raise Conflict("There are customers already")

    monkeypatch.setattr(demo, "fill", refuse)
    answer(visitor, link, demo="yes")
    fresh_filling.wait()
    assert "There are customers already" in visitor.get("/auth/filling").text


def test_the_filling_page_is_for_those_signed_in(browser, link):
    assert browser().get("/auth/filling").headers["location"] == "/auth/sign-in"


def test_a_wrong_set_up_link_points_to_the_terminal(visitor):
    answer = visitor.get("/auth/set-up", params={"token": "wrong"}, headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "The terminal shows a new one at each start" in answer.text
