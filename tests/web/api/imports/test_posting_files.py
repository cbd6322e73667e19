"""Files that programs post: checked, confirmed by token, answered, called off; seen by whoever posted them alone."""

import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import service, steps
from billing_core.imports.models import ImportFile, ImportRun
from billing_core.imports.posted import answers
from billing_core.orders.models import Order
from tests.imports.expected_cases import CASES, what_there_is
from tests.imports.files import incoming
from tests.imports.test_orders_without_a_customer import till
from tests.reports.company import a_customer
from tests.web.api import curl

ROOT = Path(__file__).parents[4]
DOCUMENT, LAYOUTS = ROOT / "docs/api.md", ROOT / "tests/imports/layouts"
ADDRESS = "/api/v1/imports"
CUSTOMERS = b"customer_ref,name\nACME,Acme Inc\n"
TWO_OF_ONE_KEY = b"customer_ref,name\nACME,Acme Inc\nACME,Acme Ltd\n"


@pytest.fixture
def client(program):
    return program()


@pytest.fixture
def worked(sessions):
    """Do what waits in the background."""

    def work():
        with sessions() as session:
            waiting = steps.unfinished(session)
        for job, _attempt in waiting:
            steps.work_off(sessions, job)

    return work


@pytest.fixture
def posted(client, worked):
    """Post a file and have it checked: what is shown of it then."""

    def post(content=CUSTOMERS, name="customers.csv", **fields):
        answer = client.post(ADDRESS, files={"file": (name, content)}, data=fields)
        assert answer.status_code == 202, answer.text
        worked()
        return shown(client, answer.json()["id"])

    return post


def shown(client, posted):
    answer = client.get(f"{ADDRESS}/{posted}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def about(told) -> list[str]:
    """What must be answered."""
    return [doubt["about"] for file in told["files"] for doubt in file["unsure"] if doubt["must_be_answered"]]


def options(told) -> set[str]:
    """The fields that answer it."""
    unsure = [doubt for file in told["files"] for doubt in file["unsure"] if doubt["must_be_answered"]]
    return {answer["option"] for doubt in unsure for answer in doubt["answers"]}


def in_json(said) -> dict:
    """What a case answers, as (option, value), in the form of a body."""
    body: dict = {}
    for option, value in said:
        if option in answers.SEVERAL:
            body.setdefault(option, []).append(value)
        else:
            body[option] = int(value) if option == "set-aside" else value
    return body


def holdings(sessions) -> dict[str, list[tuple]]:
    with sessions() as session:
        return what_there_is(session)


def names(sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(Customer.name).order_by(Customer.id)))


def test_a_file_is_posted_checked_and_confirmed(client, worked, sessions):
    answer = client.post(ADDRESS, files={"file": ("folder\\customers.csv", CUSTOMERS)})
    one = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (202, f"{ADDRESS}/{one['id']}")
    assert (one["state"], one["progress"], one["files"]) == ("checking", {"step": "", "share": 0}, [])
    assert (one["file_name"], one["size"], one["confirm_token"]) == ("customers.csv", len(CUSTOMERS), None)
    worked()
    checked = shown(client, one["id"])
    assert (checked["state"], checked["progress"]) == ("waiting_for_confirmation", None)
    (part,) = checked["files"][0]["parts"]
    assert (part["kind"], part["result"]["new"], part["import"]) == ("customers", 1, None)
    assert names(sessions) == []

    again = client.post(f"{ADDRESS}/{one['id']}/confirm", json={"token": checked["confirm_token"]})
    assert (again.status_code, again.json()["state"]) == (202, "importing")
    worked()
    done = shown(client, one["id"])
    assert (done["state"], done["files"][0]["imported"], names(sessions)) == ("imported", True, ["Acme Inc"])
    assert [step["task"] for step in done["next_steps"]]
    with sessions() as session:
        assert session.scalars(select(ImportRun.created_by)).all() == ["API key admin's program"]


def test_when_certain_it_goes_in_by_itself(posted, sessions):
    assert posted(when_certain="true")["state"] == "imported"
    waits = posted(b"customer_ref,name\nB,\n", when_certain="true")
    assert (waits["state"], waits["confirm_token"]) == ("needs_answers", None)
    assert names(sessions) == ["Acme Inc"]


def test_what_is_unsure_names_the_field_that_answers_it(client, posted, worked, sessions):
    asked = posted(TWO_OF_ONE_KEY)
    (doubt,) = [one for one in asked["files"][0]["unsure"] if one["about"] == "repeats"]
    assert {"option": "repeats", "value": "last"} in doubt["answers"]
    answer = client.post(f"{ADDRESS}/{asked['id']}/answers", json={"repeats": "last"})
    assert (answer.status_code, answer.json()["answers"]) == (202, {"repeats": "last"})
    worked()
    token = shown(client, asked["id"])["confirm_token"]
    assert client.post(f"{ADDRESS}/{asked['id']}/confirm", json={"token": token}).status_code == 202
    worked()
    assert names(sessions) == ["Acme Ltd"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_file_that_once_came_out_wrong_gives_its_right_value(case, client, posted, worked, sessions):
    for kind, content in case.before:
        service.apply(sessions, SYSTEM, incoming(kind, content), now=utc_now())
    before = holdings(sessions)
    told = posted(case.content, case.file)
    if case.asks:
        assert (told["state"], told["confirm_token"], tuple(about(told))) == ("needs_answers", None, case.asks)
        assert options(told) >= {option for option, _value in case.answers}
        said = client.post(f"{ADDRESS}/{told['id']}/answers", json=in_json(case.answers))
        assert said.status_code == 202, said.text
        worked()
        told = shown(client, told["id"])
    assert (told["state"], holdings(sessions)) == ("waiting_for_confirmation", before)
    confirmed = client.post(f"{ADDRESS}/{told['id']}/confirm", json={"token": told["confirm_token"]})
    assert confirmed.status_code == 202, confirmed.text
    worked()
    done = shown(client, told["id"])
    assert (done["state"], done["files"][0]["kinds"]) == ("imported", list(case.kinds))
    assert holdings(sessions) == case.holds


def test_orders_without_a_customer_belong_to_whom_is_said(client, posted, worked, sessions):
    with sessions.begin() as session:
        a_customer(session, ref="TILL", currency="EUR")
    asked = posted(till("#2001", "#2002"), "orders.csv")
    assert (asked["state"], "no-customer" in options(asked)) == ("needs_answers", True)
    client.post(f"{ADDRESS}/{asked['id']}/answers", json={"no-customer": "TILL"})
    worked()
    told = shown(client, asked["id"])
    assert (told["state"], told["answers"]) == ("waiting_for_confirmation", {"no-customer": "TILL"})
    (orders,) = [part for part in told["files"][0]["parts"] if part["kind"] == "orders"]
    (word,) = [word for word in orders["result"]["words"] if word["field"] == "customer_ref"]
    assert (word["word"], word["ours"], word["rows"]) == ("", "TILL", 2)
    client.post(f"{ADDRESS}/{asked['id']}/confirm", json={"token": told["confirm_token"]})
    worked()
    assert shown(client, asked["id"])["state"] == "imported"
    with sessions() as session:
        of_till = select(Order.number).join(Customer, Customer.id == Order.customer_id).where(Customer.ref == "TILL")
        assert session.scalars(of_till.order_by(Order.number)).all() == ["#2001", "#2002"]


def test_whom_they_belong_to_is_said_beside_the_file_too_and_must_be_there(posted, sessions):
    with sessions.begin() as session:
        a_customer(session, ref="TILL", currency="EUR")
    nobody = posted(till("#2001"), "orders.csv", **{"no-customer": "NOBODY", "when_certain": "true"})
    assert (nobody["state"], nobody["answers"]) == ("needs_answers", {"no-customer": "NOBODY"})
    assert "rejected" in about(nobody)
    # Once it is said, it is no doubt.
    sure = posted(till("#2001"), "orders.csv", **{"no-customer": "TILL", "when_certain": "true"})
    assert sure["state"] == "imported"


def test_answers_come_beside_the_file_too(posted):
    told = posted(b"a;b\nACME;Acme Inc\n", kind="customers", map="customer_ref=a\nname=b", separator="semicolon")
    assert told["answers"] == {"kind": ["customers"], "map": ["customer_ref=a", "name=b"], "separator": "semicolon"}
    assert told["files"][0]["parts"][0]["mapping"] == {"customer_ref": "a", "name": "b"}


def test_another_token_confirms_nothing(client, posted, sessions):
    one, other = posted(), posted()
    refused = client.post(f"{ADDRESS}/{one['id']}/confirm", json={"token": other["confirm_token"]})
    assert (refused.status_code, "not the token" in refused.json()["detail"]) == (409, True)
    assert names(sessions) == []


def test_what_changed_meanwhile_is_shown_again(client, posted, worked, sessions):
    first, second = posted(), posted(CUSTOMERS.replace(b"Inc", b"Ltd"))
    client.post(f"{ADDRESS}/{second['id']}/confirm", json={"token": second["confirm_token"]})
    worked()
    client.post(f"{ADDRESS}/{first['id']}/confirm", json={"token": first["confirm_token"]})
    worked()
    again = shown(client, first["id"])
    assert (again["state"], again["changed_since"]) == ("waiting_for_confirmation", True)
    assert again["confirm_token"] != first["confirm_token"]
    assert names(sessions) == ["Acme Ltd"]


def test_it_is_called_off_once_and_for_all(client, posted, sessions):
    one = posted()
    assert client.delete(f"{ADDRESS}/{one['id']}").status_code == 204
    assert client.delete(f"{ADDRESS}/{one['id']}").status_code == 204
    assert shown(client, one["id"])["state"] == "called_off"
    confirmed = client.post(f"{ADDRESS}/{one['id']}/confirm", json={"token": one["confirm_token"]})
    assert confirmed.status_code == 409
    assert names(sessions) == []


def test_rejected_rows_are_downloaded(client, posted):
    one = posted(b"customer_ref,name\nACME,Acme Inc\nB,\n")
    answer = client.get(f"{ADDRESS}/{one['id']}/rejected")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert b"B," in answer.content
    assert client.get(f"{ADDRESS}/{one['id']}/rejected?kind=customers&file=customers.csv").content == answer.content
    assert client.get(f"{ADDRESS}/{one['id']}/rejected?kind=orders").status_code == 404
    assert client.get(f"{ADDRESS}/{one['id']}/removed").status_code == 404


def test_the_list_has_pages(client, posted):
    ids = [posted()["id"] for _ in range(3)]
    page = client.get(f"{ADDRESS}?limit=2")
    assert [one["id"] for one in page.json()["imports"]] == ids[:0:-1]
    rest = client.get(page.links["next"]["url"])
    assert ([one["id"] for one in rest.json()["imports"]], rest.links) == (ids[:1], {})


def test_others_see_nothing_of_it_and_do_nothing_with_it(program, front_end, posted):
    one = posted()
    for other in (program(), front_end()):
        assert other.get(ADDRESS).json() == {"imports": [], "count": 0}
        assert other.get(f"{ADDRESS}?starting_after={one['id']}").status_code == 400
        for path in ("", "/rejected", "/removed"):
            assert other.get(f"{ADDRESS}/{one['id']}{path}").status_code == 404
        confirmed = other.post(f"{ADDRESS}/{one['id']}/confirm", json={"token": one["confirm_token"]})
        assert confirmed.status_code == 404
        assert other.post(f"{ADDRESS}/{one['id']}/answers", json={}).status_code == 404
        assert other.delete(f"{ADDRESS}/{one['id']}").status_code == 404


@pytest.mark.parametrize("role", ["manager", "finance"])
def test_keys_that_may_not_import_are_refused(program, role, sessions):
    reader = program(role)
    assert reader.post(ADDRESS, files={"file": ("c.csv", CUSTOMERS)}).status_code == 403
    assert reader.get(ADDRESS).status_code == 403
    assert reader.get(f"{ADDRESS}/1").status_code == 403
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(ImportFile)) == 0


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"colour": "red"}, "colour: is not known"),
        ({"when_certain": "yes"}, "when_certain: must be true or false"),
        ({"kind": "cats"}, "kind: must be one of customers"),
        ({"kind": " "}, "kind: must not be empty"),
        ({"set-aside": "many"}, "set-aside: must be a whole number"),
        ({"no-customer": " "}, "no-customer: must not be empty"),
    ],
)
def test_a_form_that_says_what_it_may_not_is_refused_whole(client, sessions, fields, about):
    refused = client.post(ADDRESS, files={"file": ("c.csv", CUSTOMERS)}, data=fields)
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith(about)
    assert list(refused.json()["fields"]) == list(fields)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(ImportFile)) == 0


def test_a_form_without_a_file_is_refused(client):
    refused = client.post(ADDRESS, files={"kind": (None, "customers")})
    assert (refused.status_code, refused.json()["fields"]) == (400, {"file": "is required"})
    assert client.post(ADDRESS, json={}).status_code == 400


def test_a_file_sent_again_with_its_key_is_one_import(client, sessions):
    def send(content):
        return client.post(ADDRESS, files={"file": ("c.csv", content)}, headers={"Idempotency-Key": "nightly"})

    first, second = send(CUSTOMERS), send(CUSTOMERS)
    assert (second.status_code, second.json()["id"]) == (202, first.json()["id"])
    assert send(CUSTOMERS + b"B,Bolt\n").status_code == 422
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(ImportFile)) == 1


def test_what_a_file_holds_does_no_harm_in_answers(client, posted):
    told = posted(b'customer_ref,name\n"=cmd|1","<script>"\n"\x00",A\n')
    assert json.loads(json.dumps(told)) == told
    assert told["state"] in ("waiting_for_confirmation", "needs_answers")


def test_the_documented_command_posts_a_file(client, worked, sessions):
    command = next(part for part in DOCUMENT.read_text().split("```bash")[1:] if "-F file=" in part).partition("#")[0]
    export = (LAYOUTS / "shopify_orders.csv").read_bytes()
    secret = client.headers.pop("Authorization").removeprefix("Bearer ")
    replaced = {"sk_live_…": secret, "https://billing.example.com": ""}
    answer = curl.run(client, command, replaced, {"orders_export.csv": export})
    assert (answer.status_code, answer.json()["state"]) == (202, "checking")
    worked()
    told = client.get(answer.headers["Location"], headers={"Authorization": f"Bearer {secret}"}).json()
    assert (told["answers"], told["when_certain"]) == ({"profile": "shopify_orders"}, True)
    assert told["state"] in ("imported", "needs_answers", "waiting_for_confirmation")
    assert told["files"][0]["kinds"] == ["customers", "orders", "order-items"]
