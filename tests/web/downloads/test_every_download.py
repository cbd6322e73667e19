"""Every download, asked for every kind of row that there is, for what there is not, and with what makes no sense.

The routes are those of the application: a new one, or a new parameter, has to say here how it is asked for.
"""

import re
from urllib.parse import urlencode

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import update

from billing_core.businesses.queries import default_business
from billing_core.customer_lifecycle import deactivating, merging
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role
from billing_core.imports.models import FileState, Holds, ImportFile, ImportFilePart
from billing_core.invoices import service as invoices
from billing_core.invoices.payment_links import GATEWAY
from billing_core.online_payments.models import SANDBOX
from billing_core.outbox import service as outbox
from billing_core.outbox.models import WEBHOOK, MessageState, OutboxMessage
from billing_core.outbox.service import Message
from billing_core.payments import status_changes
from billing_core.web.app import ROUTERS
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, a_draft, an_invoice
from tests.web.api.test_leaks import NEUTRAL, parameters

ROUTES = {
    route.name: route
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and route.path.startswith("/downloads")
}
# How the names end by which these are asked for.
ENDINGS = {"report": ".csv", "invoice": ".pdf", "credit_note": ".pdf", "statement": ".pdf", "message": ".eml"} | {
    "changes_of_import": ".csv"
}
NOBODYS = ("0", "-1", "999999", str(2**31), str(2**63), "9" * 30, "abc", "1e3", "٣", "inv_", "%00", "%ED%A0%80", "")
# What the parameters are not, by their kind.
NO_DAY = ("0", "1767225600", "2026-02-30", "2026-01-01T00:00:00", "null", "a")
OUT_OF_REACH = ("0001-01-01", "9999-12-31")
NO_INSTANT = ("0", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T25:00:00Z", "null")
NO_ID = ("0", "-1", "1.0", "+1", " 1", "1e3", "٣", str(2**31), "null", "a")
NO_CHOICE = ("null", "a", "__class__")
NO_TEXT = ("a\0b", "x" * 201)
WRONG = {
    (*NO_DAY, *OUT_OF_REACH): "due_from due_to received_from received_to issued_from issued_to as_at today month "
    "first_day start_date end_date",
    NO_DAY: "rows_of_figure.start_date created_after created_before",
    NO_INSTANT: "known_at",
    NO_ID: "customer_id business_id version older",
    NO_CHOICE: "status order_by currency method undone current_only with_reports active lacks excel inline tab "
    "agreement mode allowance variant format tells",
    NO_TEXT: "text plan country created_by",
    ("-1", "NaN", "Infinity", "null", "1e400", "1,5"): "smallest largest",
    ("a", "1;2", "1.0", "-1", ","): "ids",
}
WRONG = {name: values for values, names in WRONG.items() for name in names.split()}


@pytest.fixture
def database_url(sqlite_url) -> str:
    """Most is refused before a database is asked; each list is tried on both by tests of its own."""
    return sqlite_url


@pytest.fixture
def admin(product, signed_in):
    return signed_in("admin")


def address(name: str, of: str = "1", **given: str) -> str:
    """``of``: by which name a file is asked for."""
    known = {"customer_id": "1", "ids": "1", "plan": "pro"} | NEUTRAL
    needed = {one: str(known[one]) for one, required in parameters(ROUTES[name].dependant).items() if required}
    path = re.sub(r"\{\w+\}", of.replace("\\", r"\\") + ENDINGS.get(name, ""), ROUTES[name].path)
    return f"{path}?{urlencode(needed | given)}"


def statuses(client, name: str, names) -> dict[str, int]:
    return {one: client.get(address(name, str(one))).status_code for one in names}


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if "{" in route.path])
def test_what_there_is_not_is_not_found(admin, name):
    assert statuses(admin, name, NOBODYS) == dict.fromkeys(NOBODYS, 404)


def test_a_message_that_is_no_mail_is_not_found(admin, sessions):
    def put(session, channel, state=MessageState.WAITING):
        text = {"text": "Hello"} if channel == "mail" else {"link_id": 1}
        told = Message(channel, "invoice", f"{channel} {state}", "ap@acme.example", "Hello", ("invoice", 1), text, None)
        message_id = outbox.put(session, SYSTEM, told, now=utc_now())
        session.execute(update(OutboxMessage).where(OutboxMessage.id == message_id).values(state=state))
        return message_id

    with sessions.begin() as session:
        mails = [put(session, "mail", state) for state in MessageState]
        others = [put(session, channel) for channel in (GATEWAY, SANDBOX, WEBHOOK)]
    assert statuses(admin, "message", mails + others) == dict.fromkeys(mails, 200) | dict.fromkeys(others, 404)


def test_an_invoice_is_a_document_in_every_state(admin, sessions):
    with sessions.begin() as session:
        acme = a_customer(session)
        drafts = [a_draft(session, acme), a_draft(session, acme, customer_name="", customer_email="")]
        discarded, cancelled, paid = a_draft(session, acme), an_invoice(session, acme), an_invoice(session, acme)
        invoices.discard(session, SYSTEM, discarded.id, now=NOW)
        status_changes.cancel(session, SYSTEM, cancelled.id, now=LATER, today=TODAY)
        of_all = [one.id for one in (*drafts, discarded, cancelled, paid)]
        public = paid.public_id
    assert statuses(admin, "invoice", [*of_all, public]) == dict.fromkeys([*of_all, public], 200)
    together = admin.get(f"/downloads/invoices.zip?ids={','.join(map(str, of_all))}")
    assert together.status_code == 200


def test_a_statement_is_there_of_customers_who_are_none_any_more(admin, sessions):
    with sessions.begin() as session:
        former, acme = a_customer(session, "F"), a_customer(session, "A")
        resting = a_customer(session, "R")
        merging.merge(session, GRACE, former, acme, now=LATER)
        deactivating.deactivate(session, GRACE, resting, now=LATER)
    assert statuses(admin, "statement", (acme, resting, former)) == {acme: 200, resting: 200, former: 200}


def test_a_file_that_is_half_there_has_no_lists_yet(admin, sessions):
    """Those of a file that was refused, checked, or imported without some rows, are all that there are."""
    now = utc_now()
    with sessions.begin() as session:
        for holds in (None, Holds.RECEIVED, Holds.REJECTED, Holds.GONE):
            for state in FileState:
                token = f"{holds or 'NO'}{state}".replace(" ", "")[:24]
                file = ImportFile(token=token, owner_id=1, file_name="a.csv", received_at=now, state=state, mapping={})
                session.add(file)
                session.flush()
                if holds is not None:
                    session.add(ImportFilePart(file_id=file.id, holds=holds, number=0, content=b"a\n"))
        tokens = {file.token: file for file in session.query(ImportFile)}
        found = {
            "rejected_rows": [
                (Holds.REJECTED, state) for state in (FileState.REFUSED, FileState.READY, FileState.IMPORTED)
            ],
            "removed_lines": [(Holds.GONE, FileState.READY)],
        }
    for name, ones in found.items():
        assert statuses(admin, name, tokens) == dict.fromkeys(tokens, 404) | {
            f"{holds}{state}".replace(" ", "")[:24]: 200 for holds, state in ones
        }


@pytest.mark.parametrize("name", ROUTES)
def test_a_parameter_that_makes_no_sense_is_named(admin, sessions, name):
    """None is left aside: the file would hold more than was asked for."""
    with sessions.begin() as session:
        a_customer(session)
    for parameter in parameters(ROUTES[name].dependant):
        for value in ("", *WRONG.get(f"{name}.{parameter}", WRONG[parameter])):
            refused = admin.get(address(name, **{parameter: value}))
            assert (refused.status_code, list(refused.json()["fields"])) == (400, [parameter]), (parameter, value)
            assert not re.search(r"[Ii]nput should|String should|Value error", refused.text)
    unknown = admin.get(address(name) + "&surplus=1")
    assert unknown.json()["fields"] == {"surplus": "is not known"}
    for parameter in parameters(ROUTES[name].dependant):
        if parameter not in ("status", "older"):
            twice = admin.get(f"{address(name)}&{parameter}=1&{parameter}=1")
            assert twice.json()["fields"][parameter] == "is given more than once"


def test_what_no_page_could_ask_for_is_named_as_the_page_does(admin):
    """A file without rows would be taken for an answer."""
    late, early = "2026-03-02", "2026-03-01"
    unknown = {
        "customers.csv?country=XX": "country",
        "promo-codes.csv?plan=gold": "plan",
        "subscriptions.csv?plan=gold": "plan",
        "usage.csv?month=2026-03-01&plan=gold": "plan",
        "reports.csv?created_by=Nobody": "created_by",
        "reports.xlsx?created_by=Nobody": "created_by",
    }
    turned = {
        f"{name}?{first}={late}&{last}={early}": first
        for first, last, names in (
            ("issued_from", "issued_to", "invoices.csv invoices.xlsx invoices.zip invoice-lines.csv invoice-taxes.csv"),
            ("due_from", "due_to", "invoices.csv invoice-lines.xlsx"),
            ("issued_from", "issued_to", "credit-notes.csv credit-notes.xlsx"),
            ("received_from", "received_to", "payments.csv payment-allocations.csv payment-allocations.xlsx"),
            (
                "start_date",
                "end_date",
                "reports.csv reports.pdf tax-return.csv tax-return.xlsx tax-documents.csv",
            ),
            ("created_after", "created_before", "reports.csv"),
        )
        for name in names.split()
    }
    for asked, field in {**unknown, **turned}.items():
        refused = admin.get(f"/downloads/{asked}")
        assert (refused.status_code, list(refused.json()["fields"])) == (400, [field]), asked
    same_day = f"issued_from={early}&issued_to={early}&due_from={early}&due_to={early}"
    assert admin.get(f"/downloads/invoices.csv?{same_day}").status_code == 200
    assert admin.get("/downloads/usage.csv?month=2026-03-01&plan=none").status_code == 200


NAMED = [
    (name, one)
    for name in ROUTES
    for one in ("customer_id", "business_id")
    if one in parameters(ROUTES[name].dependant)
]


@pytest.mark.parametrize(("name", "parameter"), NAMED)
def test_a_customer_or_a_business_that_there_is_not_is_not_found(admin, sessions, name, parameter):
    """A file without rows would be taken for an answer."""
    with sessions.begin() as session:
        acme = a_customer(session)
        here = {"customer_id": acme, "business_id": default_business(session).id}
    # A figure has its key, a statement its customer.
    of = {"rows_of_figure": "billed", "statement": str(acme)}.get(name, "1")
    needed = {"customer_id": str(acme)} if "customer_id" in parameters(ROUTES[name].dependant) else {}
    there = admin.get(address(name, of, **needed | {parameter: str(here[parameter])}))
    # They have no report yet, and no invoice.
    assert there.status_code == 200 or f"no {parameter.removesuffix('_id')} " not in there.json()["detail"]
    for nobody in (999_999, 2**31 - 1):
        missing = admin.get(address(name, of, **needed | {parameter: str(nobody)}))
        noun = parameter.removesuffix("_id")
        assert (missing.status_code, missing.json()["detail"]) == (404, f"There is no {noun} {nobody}")


@pytest.mark.parametrize("name", ROUTES)
def test_each_role_gets_it_or_is_told_that_it_may_not(product, signed_in, name):
    some = {"ids": "1"} if name == "documents" else {}
    for role in Role:
        assert signed_in(role).get(address(name, **some)).status_code in (200, 403, 404), role
