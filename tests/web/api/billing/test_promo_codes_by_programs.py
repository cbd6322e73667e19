"""Promo codes, set up by programs."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from tests.promotions.codes import a_code, a_plan_id, customers, redeem

ADDRESS = "/v1/billing/promo-codes"
PERCENT = {"code": "WELCOME20", "percent": 20}
AMOUNT = {"code": "TENNER", "amount": 1050, "currency": "USD"}


@pytest.fixture
def client(program, sessions):
    with sessions.begin() as session:
        a_plan_id(session, "plan_pro_monthly")
    return program()


def created(client, **facts):
    answer = client.post(ADDRESS, json=facts)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_code_is_created_shown_and_ended(client, sessions):
    given = {
        "code": " Welcome20 ",
        "plan_id": "plan_pro_monthly",
        "percent": 12.5,
        "duration": "periods",
        "periods": 3,
        "limit": 100,
        "limit_per_customer": 1,
        "valid_to": "2199-12-31",
    }
    answer = client.post(ADDRESS, json=given)
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{ADDRESS}/Welcome20")
    made = answer.json()
    assert made.pop("created_at")
    rest = {"amount": None, "currency": None, "status": "active", "redeemed": 0, "ended_at": None}
    assert made == given | {"code": "Welcome20"} | rest
    shown = client.get(f"{ADDRESS}/WELCOME20").json()
    assert shown == answer.json()

    ended = client.post(f"{ADDRESS}/welcome20/end").json()
    assert ended.pop("ended_at")
    assert ended == {name: value for name, value in shown.items() if name != "ended_at"} | {"status": "ended"}
    again = client.post(f"{ADDRESS}/welcome20/end")
    assert (again.status_code, again.json()["detail"]) == (409, "The promo code Welcome20 has ended already")
    with sessions() as session:
        actions = session.scalars(
            select(AuditEntry.action).where(AuditEntry.subject_kind == "promo_code").order_by(AuditEntry.id)
        ).all()
    assert actions == ["promo_code.create", "promo_code.end"]


@pytest.mark.parametrize(("amount", "currency"), [(1050, "USD"), (500, "JPY"), (1234, "KWD")])
def test_an_amount_is_in_the_minor_units_of_its_currency(client, amount, currency):
    made = created(client, code="X", amount=amount, currency=currency, duration="forever")
    assert (made["amount"], made["currency"], made["percent"], made["duration"]) == (amount, currency, None, "forever")


def test_a_code_is_for_the_first_period_of_any_plan_unless_it_says_more(client):
    made = created(client, **PERCENT)
    facts = ("plan_id", "duration", "periods", "limit", "limit_per_customer", "valid_to")
    assert [made[name] for name in facts] == [None, "once", None, None, None, None]


def test_a_code_with_letters_that_addresses_escape_has_an_address(client):
    answer = client.post(ADDRESS, json={"code": "10%-GRÜßE?#&+", "percent": 10})
    assert answer.status_code == 201
    assert client.get(answer.headers["Location"]).json()["code"] == "10%-GRÜßE?#&+"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"percent": 20}, "code"),
        ({"code": "", "percent": 20}, "code"),
        ({"code": "X" * 65, "percent": 20}, "code"),
        ({"code": "A B", "percent": 20}, "code"),
        ({"code": "A/B", "percent": 20}, "code"),
        ({"code": "X"}, "percent"),
        ({"code": "X", "percent": 0}, "percent"),
        ({"code": "X", "percent": 100.1}, "percent"),
        ({"code": "X", "percent": 0.00001}, "percent"),
        ({"code": "X", "percent": "20"}, "percent"),
        ({"code": "X", "percent": 20, "amount": 100, "currency": "USD"}, "amount"),
        ({"code": "X", "percent": 20, "currency": "USD"}, "currency"),
        ({"code": "X", "amount": 100}, "currency"),
        ({"code": "X", "amount": 100, "currency": "XXY"}, "currency"),
        ({"code": "X", "amount": 100, "currency": "usd"}, "currency"),
        ({"code": "X", "amount": 0, "currency": "USD"}, "amount"),
        ({"code": "X", "amount": 10.5, "currency": "USD"}, "amount"),
        ({"code": "X", "amount": 9 * 10**14 + 1, "currency": "USD"}, "amount"),
        ({"code": "X", "percent": 20, "plan_id": "nosuch"}, "plan_id"),
        ({"code": "X", "percent": 20, "duration": "monthly"}, "duration"),
        ({"code": "X", "percent": 20, "duration": "periods"}, "periods"),
        ({"code": "X", "percent": 20, "periods": 3}, "periods"),
        ({"code": "X", "percent": 20, "limit": 0}, "limit"),
        ({"code": "X", "percent": 20, "limit_per_customer": 10**9 + 1}, "limit_per_customer"),
        ({"code": "X", "percent": 20, "valid_to": "2026-02-30"}, "valid_to"),
        ({"code": "X", "percent": 20, "valid_to": "2200-01-01"}, "valid_to"),
        ({"code": "X", "percent": 20, "surplus": 1}, "surplus"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_the_field(client, given, field):
    answer = client.post(ADDRESS, json=given)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert client.get(ADDRESS).json() == {"promo_codes": [], "count": 0}


def test_a_code_is_taken_once(client):
    created(client, **PERCENT)
    again = client.post(ADDRESS, json=PERCENT | {"code": "welcome20"})
    assert (again.status_code, list(again.json()["fields"])) == (409, ["code"])


def test_the_same_request_again_creates_nothing_again(client):
    headers = {"Idempotency-Key": "first"}
    answers = [client.post(ADDRESS, json=PERCENT, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


def test_pages_lead_from_one_to_the_next_with_the_same_filters(client, sessions):
    with sessions.begin() as session:
        for number in range(5):
            a_code(session, f"CODE-{number}")
        a_code(session, "OTHER", limit=1)
        (customer,) = customers(session, 1)
        redeem(session, "OTHER", customer, 1)

    first = client.get(ADDRESS, params={"limit": 2, "status": "active"})
    assert [one["code"] for one in first.json()["promo_codes"]] == ["CODE-4", "CODE-3"]
    second = client.get(first.links["next"]["url"])
    assert [one["code"] for one in second.json()["promo_codes"]] == ["CODE-2", "CODE-1"]
    last = client.get(second.links["next"]["url"])
    assert (last.json()["count"], "next" in last.links) == (1, False)
    (used_up,) = client.get(ADDRESS, params={"status": "used_up"}).json()["promo_codes"]
    assert (used_up["code"], used_up["redeemed"]) == ("OTHER", 1)


def test_a_filter_by_plan_finds_what_can_be_redeemed_for_it(client, sessions):
    created(client, **PERCENT, plan_id="plan_pro_monthly")
    created(client, **AMOUNT)
    with sessions.begin() as session:
        a_plan_id(session, "another")
    for plan, names in (("plan_pro_monthly", ["TENNER", "WELCOME20"]), ("another", ["TENNER"])):
        found = client.get(ADDRESS, params={"plan_id": plan}).json()["promo_codes"]
        assert [one["code"] for one in found] == names
    unknown = client.get(ADDRESS, params={"plan_id": "nosuch"})
    assert (unknown.status_code, list(unknown.json()["fields"])) == (400, ["plan_id"])


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"status": "good"}, {"offset": 1}])
def test_wrong_filters_are_refused(client, query):
    assert client.get(ADDRESS, params=query).status_code == 400


def test_a_code_that_is_not_there_is_not_found(client):
    for answer in (client.get(f"{ADDRESS}/NONE"), client.post(f"{ADDRESS}/NONE/end")):
        assert (answer.status_code, answer.json()["detail"]) == (404, "There is no such promo code")


@pytest.mark.parametrize("role", ["finance", "manager"])
def test_who_may_see_codes_may_not_change_them(client, program, role):
    created(client, **PERCENT)
    other = program(role)
    assert other.get(ADDRESS).json()["count"] == 1
    assert other.get(f"{ADDRESS}/WELCOME20").status_code == 200
    assert other.post(ADDRESS, json=AMOUNT).status_code == 403
    assert other.post(f"{ADDRESS}/WELCOME20/end").status_code == 403
