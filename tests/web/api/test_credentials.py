"""Every credential ends in one Caller, and nobody else gets in."""

from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import select, update

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role, bearer, passwords
from billing_core.identity.api_keys import ApiKey, KeyMode
from billing_core.identity.models import User
from billing_core.people import keys, service
from billing_core.settings import settings
from billing_core.web import activity
from billing_core.web.api.app import guarded
from tests.web.api import probe
from tests.web.forms import PASSWORD

WORK = "/api/v2/probe/work"
DOCUMENTED = {"detail": "Authentication credentials were not provided."}


@pytest.fixture
def client(probed, browser):
    return browser()


@pytest.fixture
def token(client, ana) -> str:
    return client.post("/api/v1/auth/token", json={"email": "ana@example.com", "password": PASSWORD}).json()[
        "access_token"
    ]


def worked(client, credentials: str | None = None, **headers) -> int:
    if credentials is not None:
        headers["Authorization"] = credentials
    return client.post(WORK, json={"amount": 1}, headers=headers).status_code


def test_a_key_works_alone_and_as_a_pair(client, key_of):
    key = key_of("manager")
    for credentials in (f"Bearer {key.secret_key}", f"bearer {key.pair}", f"Bearer  {key.pair} "):
        assert worked(client, credentials) == 201


def test_other_credentials_do_not(client, key_of):
    key = key_of("manager")
    sk, pk = key.secret_key, key.public_key
    wrong = ("", f"{sk}x", "sk_live_x", f"pk_live_other:{sk}", f":{sk}", pk, f"{pk}:", f"{sk}:{pk}", f"{sk} {sk}")
    for sent in (*(f"Bearer {one}" for one in (*wrong, "a.b.c", "x" * 4000, "null")), "", "Bearer", f"Basic {sk}", sk):
        response = client.get("/api/v2/probe/refuses/NotFound", headers={"Authorization": sent})
        assert (response.status_code, response.json()) == (401, DOCUMENTED), sent
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v2/reports/", DOCUMENTED),
        ("/api/invoices", {"error": "Invalid authentication", "message": DOCUMENTED["detail"]}),
        ("/api/businesses", {"error": "Invalid authentication", "message": DOCUMENTED["detail"]}),
        ("/api/v1/analytics/billing/invoice/x", {"detail": "Not authenticated"}),
        ("/api/nothing", {"detail": "Not authenticated"}),
        ("/api", None),
    ],
)
def test_without_any_each_api_says_so_in_its_own_words(client, path, body):
    response = client.get(path)
    assert response.status_code == 401
    assert body is None or response.json() == body


def test_the_envelope_says_so_too(client):
    response = client.get("/api/v2/reports/", headers={"Accept": "application/vnd.billing.envelope+json"})
    assert (response.status_code, response.json()) == (
        401,
        {"success": False, "error": {"code": "UNAUTHORIZED", "message": DOCUMENTED["detail"], "details": {}}},
    )


def test_a_key_ends_by_expiry_and_by_being_revoked(client, sessions, key_of):
    old, revoked = key_of("manager"), key_of("manager")
    with sessions.begin() as session:
        session.execute(update(ApiKey).where(ApiKey.id == old.key_id).values(expires_at=utc_now()))
        keys.revoke(session, SYSTEM, revoked.key_id, now=utc_now())
    assert worked(client, f"Bearer {old.secret_key}") == 401
    assert worked(client, f"Bearer {revoked.secret_key}") == 401


def test_a_rotated_key_has_two_secrets_for_a_while(client, sessions, key_of):
    first = key_of("manager")
    with sessions.begin() as session:
        second = keys.rotate(session, SYSTEM, first.key_id, overlap=timedelta(hours=1), now=utc_now())
    assert first.public_key == second.public_key
    assert (worked(client, f"Bearer {first.pair}"), worked(client, f"Bearer {second.pair}")) == (201, 201)

    with sessions.begin() as session:
        session.execute(update(ApiKey).values(former_until=utc_now()))
    assert (worked(client, f"Bearer {first.pair}"), worked(client, f"Bearer {second.pair}")) == (401, 201)

    with sessions.begin() as session:
        third = keys.rotate(session, SYSTEM, first.key_id, overlap=timedelta(0), now=utc_now())
    assert (worked(client, f"Bearer {second.pair}"), worked(client, f"Bearer {third.pair}")) == (401, 201)


@pytest.mark.parametrize(("stripe_key", "status"), [("", 201), ("sk_test_x", 201), ("rk_live_x", 401)])
def test_a_test_key_ends_where_real_money_is_collected(client, key_of, monkeypatch, stripe_key, status):
    key = key_of("manager", mode=KeyMode.TEST)
    assert key.secret_key.startswith("sk_test_")
    monkeypatch.setenv("STRIPE_SECRET_KEY", stripe_key)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_x")
    settings.cache_clear()
    try:
        assert worked(client, f"Bearer {key.secret_key}") == status
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_no_secret_is_in_the_database_or_the_audit_log(sessions, key_of, token):
    key = key_of("manager")
    with sessions() as session:
        connection = session.connection()
        for table in ("api_keys", "audit_entries"):
            text = str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
            assert key.secret_key not in text
            assert token not in text
        assert session.scalars(select(ApiKey.secret_end)).one() == key.secret_key[-4:]


def test_last_use_is_written_down_once_a_minute(client, sessions, key_of):
    key = key_of("manager")
    assert worked(client, f"Bearer {key.secret_key}") == 201
    with sessions() as session:
        assert keys.one(session, SYSTEM, key.key_id).last_used_at is None
    activity.write()
    with sessions() as session:
        assert keys.one(session, SYSTEM, key.key_id).last_used_at is not None


@pytest.mark.parametrize("form", [True, False])
def test_a_password_gets_a_token_for_a_quarter_of_an_hour(client, ana, form):
    sent = (
        {"data": {"username": "ana@example.com", "password": PASSWORD, "grant_type": "password", "scope": ""}}
        if form
        else {"json": {"email": " Ana@Example.com", "password": PASSWORD}}
    )
    response = client.post("/api/v1/auth/token", **sent)
    assert response.status_code == 200
    body = response.json()
    assert (body["token_type"], body["expires_in"], response.headers["cache-control"]) == ("bearer", 900, "no-store")
    assert worked(client, f"Bearer {body['access_token']}") == 201


def test_other_requests_for_a_token_are_refused_without_repeating_them(client, ana):
    right = {"email": "ana@example.com", "password": PASSWORD}
    for given, status in [
        (right | {"password": "wrong"}, 401),
        (right | {"email": "nobody@example.com"}, 401),
        ({"email": "ana@example.com"}, 400),
        (right | {"role": "admin"}, 400),
        (right | {"email": 1}, 400),
        (right | {"password": "x" * 1001}, 400),
        ([], 400),
        ("text", 400),
    ]:
        response = client.post("/api/v1/auth/token", json=given)
        assert response.status_code == status, given
        assert PASSWORD not in response.text


def test_a_token_ends_after_a_quarter_of_an_hour_also_over_the_end_of_a_month(sessions, ana, quick_hashes):
    issued = utc_now().replace(month=1, day=31, hour=23, minute=50)
    with sessions() as session:
        user = session.get(User, ana)
        token = bearer.create(user.id, user.password_hash, now=issued)
        assert bearer.actor_for(session, token, now=issued + bearer.LIFETIME - timedelta(seconds=1)).user_id == ana
        assert bearer.actor_for(session, token, now=issued + bearer.LIFETIME) is None
        assert bearer.actor_for(session, token, now=issued - timedelta(minutes=2)) is None


def test_a_token_ends_with_its_person(client, sessions, ana, token):
    with sessions.begin() as session:
        service.add_person(
            session, SYSTEM, email="b@example.com", name="B", role=Role.ADMIN, password_hash="x", now=utc_now()
        )
        service.deactivate(session, SYSTEM, ana, now=utc_now())
    assert worked(client, f"Bearer {token}") == 401


def test_a_token_ends_with_the_password_and_follows_the_role(client, sessions, ana, token):
    client.headers["Authorization"] = f"Bearer {token}"
    assert worked(client) == 201
    with sessions.begin() as session:
        session.get(User, ana).role = Role.FINANCE
    assert worked(client) == 201
    with sessions.begin() as session:
        session.get(User, ana).password_hash = passwords.hashed("another one entirely")
    assert worked(client) == 401


def test_a_token_that_somebody_else_made_is_none_of_ours(client, ana):
    claims = {"iss": "billing", "sub": str(ana), "iat": 0, "exp": 2**40, "pwd": ""}
    month = utc_now().strftime("%Y-%m")
    forged = jwt.encode({"alg": "HS256", "kid": month}, claims, OctKey.import_key("x" * 32), algorithms=["HS256"])
    nothing = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."
    assert (worked(client, f"Bearer {forged}"), worked(client, f"Bearer {nothing}")) == (401, 401)


def test_a_browser_needs_its_csrf_token_to_change_something(probed, front_end, sessions):
    client = front_end()
    right = client.headers.pop("X-CSRF-Token")
    assert worked(client, **{"X-CSRF-Token": right}) == 201
    for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": right[:-1]}, {"X-CSRF-Token": "é".encode()}):
        response = client.post(WORK, json={"amount": 1}, headers=wrong)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert client.get("/api/v2/probe/refuses/NotFound").status_code == 404
    assert probe.done(sessions) == 1


def test_only_trusted_sites_pages_may_use_a_browsers_session(probed, front_end, monkeypatch):
    monkeypatch.setenv("BILLING_TRUSTED_ORIGINS", "https://app.example.com/, http://localhost:5176")
    settings.cache_clear()
    guarded.cache_clear()
    try:
        client = front_end()
        trusted, other = ({"Origin": one} for one in ("https://app.example.com", "https://evil.example.com"))
        theirs = client.post(WORK, json={"amount": 1}, headers={**trusted, "Sec-Fetch-Site": "cross-site"})
        assert theirs.status_code == 201
        assert theirs.headers["access-control-allow-origin"] == "https://app.example.com"
        assert theirs.headers["access-control-allow-credentials"] == "true"
        assert "X-RateLimit-Limit" in theirs.headers["access-control-expose-headers"]

        evil = client.post(WORK, json={"amount": 1}, headers={**other, "Sec-Fetch-Site": "cross-site"})
        assert evil.status_code == 403
        assert "access-control-allow-origin" not in evil.headers

        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-CSRF-Token"}
        assert client.options(WORK, headers={**trusted, **asks}).status_code == 200
        assert client.options(WORK, headers={**other, **asks}).status_code == 400
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_a_browser_that_is_signed_in_may_get_a_token_like_any_other(probed, front_end, ana):
    client = front_end("finance")
    del client.headers["X-CSRF-Token"]
    given = {"email": "ana@example.com", "password": PASSWORD}
    assert client.post("/api/v1/auth/token", json=given, headers={"Authorization": "Bearer old"}).status_code == 200


def test_a_wrong_header_is_not_mended_by_a_cookie(probed, front_end):
    client = front_end()
    assert client.get("/api/v2/probe/refuses/NotFound", headers={"Authorization": "Bearer x"}).status_code == 401
