"""Signing in and out in the browser."""

import re

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.dates import utc_now
from billing_core.identity import SESSION_COOKIE, SYSTEM, Role
from billing_core.identity.attempts import BY_ONE, FROM_ONE_ADDRESS, OF_ONE_ACCOUNT
from billing_core.identity.models import UserSession
from billing_core.people import service
from billing_core.settings import settings
from billing_core.web.origin import local_path
from tests.web.forms import PASSWORD, submit
from tests.web.in_one_go import Client

# Where no redirect may lead.
ELSEWHERE = [
    "",
    "reports",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "/\x00/evil.example",
    "/\x7f/evil.example",
    "/\u2028/evil.example",
    "https://evil.example",
    "https:evil.example",
    "HTTP://evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/auth/sign-out",
    "/x\r\nSet-Cookie: a=b",
]


ANA = {"email": "ana@example.com", "password": PASSWORD}


def sign_in(client, email="ana@example.com", password=PASSWORD, **more):
    return submit(client, "/auth/sign-in", "/auth/sign-in", email=email, password=password, **more)


def test_the_right_password_opens_the_wanted_page(visitor, ana):
    answer = sign_in(visitor, next="/reports?customer=3")
    assert (answer.status_code, answer.headers["location"]) == (303, "/reports?customer=3")
    assert visitor.get("/reports").text == "inside"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(visitor, ana):
    cookie = next(c for c in sign_in(visitor).headers.get_list("set-cookie") if c.startswith(SESSION_COOKIE))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


def test_behind_https_cookies_are_secure(visitor, ana, monkeypatch):
    monkeypatch.setattr(settings(), "public_url", "https://billing.example.com")
    answer = sign_in(visitor)
    cookies = answer.headers.get_list("set-cookie")
    # This test's browser speaks http and so does not send the form's secure cookie back.
    assert cookies
    assert all("Secure" in cookie for cookie in cookies)
    assert "max-age" in answer.headers["strict-transport-security"]


def test_every_sign_in_has_another_token(visitor, ana, sessions):
    sign_in(visitor)
    first = visitor.cookies[SESSION_COOKIE]
    visitor.cookies.delete(SESSION_COOKIE)
    visitor.cookies.clear()
    sign_in(visitor)
    assert visitor.cookies[SESSION_COOKIE] != first


def test_a_planted_token_is_never_adopted(visitor, ana):
    visitor.cookies.set(SESSION_COOKIE, "planted-by-somebody-else")
    sign_in(visitor)
    assert "planted-by-somebody-else" not in [cookie.value for cookie in visitor.cookies.jar if cookie.domain]
    visitor.cookies.clear()
    visitor.cookies.set(SESSION_COOKIE, "planted-by-somebody-else")
    assert visitor.get("/").status_code == 401


def test_an_unknown_account_reads_like_a_wrong_password(browser, ana):
    known, unknown = sign_in(browser(), password="wrong password"), sign_in(browser(), email="bob@example.com")
    assert known.status_code == unknown.status_code == 401

    def words(answer):
        return re.sub(r'value="[^"]*"', "", answer.text)

    assert words(known) == words(unknown)


def test_what_people_type_is_shown_as_text(visitor, ana):
    answer = sign_in(visitor, email='"><script>alert(1)</script>')
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize("email", ["\x00", "ana@example.com\x00", "ä" * 300, "%", "' OR 1=1 --"])
def test_strange_input_is_only_wrong(visitor, ana, email):
    assert sign_in(visitor, email=email).status_code == 401


def test_too_many_attempts_for_an_account_must_wait(browser, ana):
    for _ in range(BY_ONE.amount):
        assert sign_in(browser(), password="wrong password").status_code == 401
    refused = sign_in(browser())
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 15 * 60
    assert "Too many attempts" in refused.text
    assert sign_in(browser(), email="bob@example.com").status_code == 401


def test_too_many_attempts_from_an_address_must_wait(browser, ana, monkeypatch):
    monkeypatch.setattr("billing_core.people.sign_in.verify", lambda *_, **__: None)
    for number in range(FROM_ONE_ADDRESS.amount):
        assert sign_in(browser(), email=f"somebody{number}@example.com").status_code == 401
    assert sign_in(browser(), email="one.more@example.com").status_code == 429


def test_who_knows_the_password_starts_anew(browser, ana):
    for _ in range(2):
        for _ in range(BY_ONE.amount - 1):
            sign_in(browser(), password="wrong password")
        assert sign_in(browser()).status_code == 303


@pytest.fixture
def at(product, portal):
    """``at("192.0.2.7")``: a fresh browser at that address."""
    return lambda address: Client(product, portal, address)


def test_guesses_elsewhere_keep_nobody_out(at, ana):
    for _ in range(BY_ONE.amount):
        assert sign_in(at("192.0.2.66"), password="wrong password").status_code == 401
    assert sign_in(at("192.0.2.66")).status_code == 429
    assert sign_in(at("192.0.2.7")).status_code == 303
    # Nor does the owner's signing in let the other one go on.
    assert sign_in(at("192.0.2.66")).status_code == 429


def test_a_browser_that_signed_in_before_is_let_in_whoever_guesses_beside_it(at, ana):
    known = at("192.0.2.7")
    assert sign_in(known).status_code == 303
    del known.cookies[SESSION_COOKIE]
    for _ in range(BY_ONE.amount):
        assert sign_in(at("192.0.2.7"), password="wrong password").status_code == 401
    assert sign_in(at("192.0.2.7")).status_code == 429
    assert sign_in(known).status_code == 303


def test_a_known_browser_may_not_guess_on_and_on_either(at, ana):
    known = at("192.0.2.7")
    sign_in(known)
    del known.cookies[SESSION_COOKIE]
    for _ in range(BY_ONE.amount):
        assert sign_in(known, password="wrong password").status_code == 401
    assert sign_in(known).status_code == 429
    # It is known for that account alone, and its mark cannot be made up.
    assert sign_in(known, email="bob@example.com").status_code == 401
    name = next(one for one in known.cookies if one.startswith("billing_browser_"))
    forged = at("192.0.2.7")
    forged.cookies.set(name, "made-up." + "0" * 64)
    assert sign_in(forged, password="wrong password").status_code == 401


def test_many_addresses_together_may_not_guess_on_and_on_and_the_known_ones_are_let_in(at, ana, monkeypatch):
    known, office = at("192.0.2.7"), at("198.51.100.1")
    for browser in (known, office):
        sign_in(browser)
        del browser.cookies[SESSION_COOKIE]
    for number in range(OF_ONE_ACCOUNT.amount):
        assert sign_in(at(f"203.0.113.{number // 9}"), password="wrong password").status_code == 401, number
    assert sign_in(at("203.0.113.250")).status_code == 429
    known_elsewhere = at("203.0.113.251")
    known_elsewhere.cookies = known.cookies
    assert sign_in(known_elsewhere).status_code == 303
    # From where the account is used, without the cookie too: programs have none.
    assert at("198.51.100.1").post("/api/v1/auth/token", json=ANA).status_code == 200
    assert at("203.0.113.252").post("/api/v1/auth/token", json=ANA).status_code == 429


def test_an_account_that_does_not_exist_is_refused_as_one_that_does(at, ana):
    def story(email):
        answers = [sign_in(at("192.0.2.7"), email=email, password="wrong") for _ in range(BY_ONE.amount + 2)]
        return [(one.status_code, sorted(set(one.headers) - {"set-cookie"}), "cookies" in one.text) for one in answers]

    assert story("ana@example.com") == story("nobody@example.com")


def test_the_audit_log_tells_of_guesses_once_and_never_what_was_typed(at, ana, sessions):
    for email in ("ana@example.com", "my secret@example.com"):
        for _ in range(BY_ONE.amount + 3):
            sign_in(at("192.0.2.7"), email=email, password="wrong")
    with sessions() as session:
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "sign_in.refuse").order_by(AuditEntry.id)
        ).all()
        told = [(one.subject_kind, one.subject_id, one.subject_label, one.actor_name, one.after) for one in entries]
    facts = {"address": "192.0.2.7", "failed_attempts": 10, "minutes": 15}
    assert told == [
        ("user", str(ana), "Ana <b>Lima</b>", "Somebody at 192.0.2.7", facts),
        ("user", "", "An account that does not exist", "Somebody at 192.0.2.7", facts),
    ]


@pytest.mark.parametrize("form_token", ["", "made.up", "x", "ä.ö"])
def test_a_form_of_another_site_is_refused(visitor, ana, form_token):
    visitor.get("/auth/sign-in")
    answer = visitor.post(
        "/auth/sign-in", data={"email": "ana@example.com", "password": PASSWORD, "form_token": form_token}
    )
    assert answer.status_code == 403
    assert SESSION_COOKIE not in answer.cookies


def test_a_form_needs_its_cookie(visitor, ana):
    token = re.search(r'name="form_token" value="([^"]+)"', visitor.get("/auth/sign-in").text)[1]
    visitor.cookies.clear()
    answer = visitor.post("/auth/sign-in", data={"email": "ana@example.com", "password": PASSWORD, "form_token": token})
    assert answer.status_code == 403


def test_a_form_of_another_session_is_refused(browser, signed_in, ana):
    theirs = browser()
    token = re.search(r'name="form_token" value="([^"]+)"', theirs.get("/auth/sign-in").text)[1]
    mine = signed_in("finance")
    mine.cookies.set("billing_form", token)
    assert mine.post("/auth/sign-out", data={"form_token": token}).status_code == 403
    assert mine.get("/").status_code == 200


def test_signing_out_ends_the_session(visitor, ana, sessions):
    sign_in(visitor)
    token = visitor.cookies[SESSION_COOKIE]
    answer = submit(visitor, "/auth/sign-out", "/auth/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/auth/sign-in")
    assert SESSION_COOKIE not in visitor.cookies
    visitor.cookies.set(SESSION_COOKIE, token)
    assert visitor.get("/").status_code == 401


def test_opening_the_sign_out_page_signs_nobody_out(visitor, ana):
    sign_in(visitor)
    page = visitor.get("/auth/sign-out")
    assert "Ana &lt;b&gt;Lima&lt;/b&gt;" in page.text
    assert visitor.get("/").status_code == 200


def test_somebody_signed_in_does_not_sign_in_again(visitor, ana):
    sign_in(visitor)
    assert visitor.get("/auth/sign-in?next=/reports").headers["location"] == "/reports"


@pytest.mark.parametrize("path", ["/", "/reports", "/reports?a=1&b=//x", "/a%2Fb", "/ä?q=ö#x"])
def test_local_addresses_are_followed(path):
    assert local_path(path) == path


@pytest.mark.parametrize("target", ELSEWHERE)
def test_other_addresses_are_not(target):
    assert local_path(target) == "/"


def test_signing_in_leads_nowhere_else(visitor, ana):
    for target in ELSEWHERE:
        visitor.cookies.clear()
        assert sign_in(visitor, next=target).headers["location"] == "/", target


def test_an_invited_person_chooses_a_password(visitor, ana, sessions):
    with sessions.begin() as session:
        _, token = service.invite(
            session, SYSTEM, email="bob@example.com", name="Bob <i>", role=Role.FINANCE, now=utc_now()
        )
    page = f"/auth/welcome?token={token}"
    assert "Bob &lt;i&gt;" in visitor.get(page).text

    weak = submit(visitor, page, "/auth/welcome", token=token, password="short", repeated="short")
    assert weak.status_code == 400
    assert "at least 12 characters" in weak.text
    differing = submit(visitor, page, "/auth/welcome", token=token, password=PASSWORD, repeated="another one")
    assert "is not the same" in differing.text

    done = submit(visitor, page, "/auth/welcome", token=token, password=PASSWORD, repeated=PASSWORD)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert visitor.get("/").text == "inside"
    assert visitor.get(page, headers={"Accept": "text/html"}).status_code == 404


@pytest.mark.parametrize("token", ["", "x", "\x00", "ä" * 100])
def test_a_link_that_does_not_work_says_what_to_do(visitor, ana, token):
    answer = visitor.get("/auth/welcome", params={"token": token}, headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "Ask an administrator for a new one" in answer.text


def test_sessions_keep_where_they_come_from(visitor, ana, sessions):
    visitor.headers["User-Agent"] = "Firefox\x1b[31m" + "x" * 500
    sign_in(visitor)
    with sessions() as session:
        kept = session.scalars(select(UserSession)).one()
        assert kept.address == "testclient"
        assert len(kept.user_agent) == 300
