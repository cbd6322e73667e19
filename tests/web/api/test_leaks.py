"""Nobody learns of another customer's things, or changes them: every route is asked, with everything it takes.

What is asked follows from the routes themselves. A new route, or a new parameter of one, has to say here in which way
it can name what is somebody's; until then this fails.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pypdf import PdfReader
from sqlalchemy import select

from billing_core.bounces.figures import BOUNCED_MAILS
from billing_core.database import Base
from billing_core.imports.queries import FAILED_IMPORTS
from billing_core.online_payments.figures import FAILED_EVENTS
from billing_core.outbox.figures import FAILED_MAILS, KEPT_MAILS
from billing_core.outgoing_webhooks.figures import FAILED_WEBHOOKS
from billing_core.people.figures import REFUSED_GUESSES
from billing_core.processes.figures import FAILED_SCHEDULES, LOST_PROCESSES, PAUSED_QUEUES
from billing_core.web.access import APIS
from billing_core.web.api.app import ROUTERS as API
from billing_core.web.app import ROUTERS as OWN
from tests.web.api.two_worlds import FIGURES, NOBODY, World, a_world

pytestmark = pytest.mark.slow

# What is there for everybody, or for whoever has been given a secret address: it shows nothing by the asker.
OPEN = (
    "/healthz",
    "/readyz",
    "/metrics",
    "/auth/",
    "/i/",
    "/pay/",
    "/card/",
    "/webhooks/",
    "/api/openapi.json",
    "/api/docs",
)
OPEN += ("/api/v1/auth/",)
# What people of one customer may not do at all.
FORBIDDEN = {
    "template",
    "create_invoice",
    "create_open_invoice",
    "create_subscription",
    "preview_change",
    "change_subscription",
    "withdraw_subscription_change",
    "preview_cancellation",
    "cancel_subscription",
    "pause_subscription",
    "resume_subscription",
    "replace_payment_method",
    "update_invoice",
    "cancel_invoice",
    "create_payment_link",
    "reconciliation",
    "record_usage_events",
    "withdraw_usage_event",
    "create_usage_alert",
    "update_usage_alert",
    "remove_usage_alert",
    "give_prepaid_credit",
    "update_prepaid_credit",
    "list_promo_codes",
    "create_promo_code",
    "get_promo_code",
    "end_promo_code",
    "promo_codes",
    "plan_move",
    "list_imports",
    "create_import",
    "get_import",
    "confirm_import",
    "answer_import",
    "call_off_import",
    "get_rejected_rows",
    "get_removed_lines",
    "rejected_rows",
    "removed_lines",
    "changes_of_import",
    "message",
}
REFUSED_FIGURES = tuple(
    figure.key
    for figure in (
        BOUNCED_MAILS,
        FAILED_EVENTS,
        FAILED_IMPORTS,
        FAILED_MAILS,
        KEPT_MAILS,
        FAILED_SCHEDULES,
        FAILED_WEBHOOKS,
        LOST_PROCESSES,
        PAUSED_QUEUES,
        REFUSED_GUESSES,
    )
)
# How an address names what is somebody's, by the beginning of its route.
PATHS = {
    "/api/v2/reports/{id}": lambda w: [str(w.report), w.report_uuid],
    "/api/invoices/{id}": lambda w: [w.invoice_public],
    "/v1/billing/invoice/{id}": lambda w: [w.invoice_public],
    "/v1/billing/subscriptions/{id}": lambda w: [w.subscription],
    "/v1/billing/promo-codes/{code}": lambda w: [f"{w.name.split()[0]}-CODE"],
    "/api/v1/analytics/billing/invoice/{org_id}": lambda w: [w.customer_uuid],
    "/api/v1/analytics/billing/{org_id}": lambda w: [w.customer_uuid],
    "/api/v1/analytics/usage/{org_id}": lambda w: [w.customer_uuid],
    "/api/v1/usage/organizations/{org_id}": lambda w: [w.customer_uuid, w.name],
    "/api/v1/usage/alerts/{alert_id}": lambda w: [str(w.alert)],
    "/api/v1/imports/{import_id}": lambda w: [str(w.customer)],
    "/downloads/reports/{name}": lambda w: [
        *(f"{w.report}.{ending}" for ending in ("csv", "long.csv", "short.csv", "json", "xlsx", "pdf")),
        f"{w.report_uuid}.csv",
    ],
    "/downloads/invoices/{name}": lambda w: [f"{w.invoice}.pdf", f"{w.invoice_public}.pdf"],
    "/downloads/credit-notes/{name}": lambda w: [f"{w.note}.pdf"],
    "/downloads/statements/{name}": lambda w: [f"{w.customer}.csv", f"{w.customer}.pdf"],
    "/downloads/outbox/{name}": lambda w: [f"{w.mail}.eml"],
    "/downloads/imports/history/{name}": lambda w: ["1.csv"],
    "/downloads/imports/templates/{name}": lambda w: ["customers.csv"],
    "/downloads/imports/{token}": lambda w: [f"{w.customer:024}"],
    "/downloads/figures/{key}": lambda w: [figure.key for figure in FIGURES],
}
# How a parameter does; where its name means several things, by route.
PARAMETERS = {
    "customer_id": lambda w: w.customer,
    "business_id": lambda w: w.business,
    "list_invoices.business_id": lambda w: w.business_public,
    "list_open_invoices.customer_id": lambda w: w.customer_public,
    "list_subscriptions.customer_id": lambda w: w.customer_public,
    "list_subscriptions.starting_after": lambda w: w.subscription,
    "list_reports.starting_after": lambda w: w.report,
    "summarize_customers.starting_after": lambda w: w.customer,
    "list_invoices.starting_after": lambda w: w.invoice_public,
    "list_organizations.starting_after": lambda w: w.customer_uuid,
    **dict.fromkeys(
        (
            "reports_together.ids",
            "workbook_of_reports.ids",
            "document_of_reports.ids",
            "charges_of_reports.ids",
        ),
        lambda w: w.report,
    ),
    "documents.ids": lambda w: w.invoice,
    "customer_ref": lambda w: w.name,
    "list_usage_events.starting_after": lambda w: w.event,
    "list_usage_alerts.organization_id": lambda w: w.customer_uuid,
    "list_usage_alerts.starting_after": lambda w: w.alert,
    "get_prepaid_credit.starting_after": lambda w: w.grant,
    "user": lambda w: f"{w.name}'s user",
    "text": lambda w: w.name,
    "list_promo_codes.plan_id": lambda w: f"{w.name}'s plan",
    "list_promo_codes.starting_after": lambda w: f"{w.name.split()[0]}-CODE",
    "plan": lambda w: f"{w.name}'s plan",
}
BODIES = {
    "generate_report": lambda w: {"customer_id": w.customer, "start_date": "2023-01-01", "end_date": "2023-01-31"},
    "create_invoice": lambda w: {
        "business_id": w.business_public,
        "customer_email": w.email,
        "line_items": [{"description": "Something", "quantity": 1, "unit_price": 1}],
    },
    "create_open_invoice": lambda w: {
        "customer_id": w.customer_public,
        "line_items": [{"description": "Something", "amount": 1}],
    },
    "create_subscription": lambda w: {
        "customer_id": w.customer_public,
        "plan_id": f"{w.name}'s plan",
        "payment_method_id": "pm_card_visa",
    },
    "preview_change": lambda w: {"plan_id": f"{w.name}'s plan", "seats": 2},
    "change_subscription": lambda w: {"plan_id": f"{w.name}'s plan", "seats": 2},
    "preview_cancellation": lambda _w: {"at_period_end": False},
    "cancel_subscription": lambda _w: {"reason": "Too dear"},
    "replace_payment_method": lambda _w: {"payment_method_id": "pm_card_visa"},
    "update_invoice": lambda w: {"customer_email": w.email},
    "record_usage_events": lambda w: {"events": [{"id": "1", "customer_ref": w.name, "time": "2023-01-15T10:00:00Z"}]},
    "withdraw_usage_event": lambda _w: {"reason": "Told twice"},
    "create_usage_alert": lambda w: {"organization_id": w.customer_uuid, "measure": "calls", "threshold": 5},
    "update_usage_alert": lambda _w: {"threshold": 6},
    "give_prepaid_credit": lambda _w: {"amount": 5, "reason": "Welcome"},
    "create_promo_code": lambda w: {"code": "X", "percent": 5, "plan_id": f"{w.name}'s plan"},
    "confirm_import": lambda _w: {"token": "1"},
    "answer_import": lambda _w: {"repeats": "last"},
    "update_prepaid_credit": lambda _w: {"top_up": {"below": 1, "up_to": 2}},
}
# What says nothing about whose things are meant, with a value where one is needed.
NEUTRAL = {"start_date": "2023-01-01", "end_date": "2026-12-31", "currency": "USD", "mode": "sandbox"}
NEUTRAL |= dict.fromkeys(("created_after", "created_before", "known_at", "as_at", "today", "created_by", "country"))
NEUTRAL |= dict.fromkeys(("issued_from", "issued_to", "due_from", "due_to", "received_from", "received_to", "method"))
NEUTRAL |= dict.fromkeys(
    ("order_by", "limit", "offset", "format", "variant", "excel", "inline", "status", "smallest", "largest")
)
NEUTRAL |= dict.fromkeys(("billing_period_start", "billing_period_end", "list_usage_days.starting_after"))
NEUTRAL |= dict.fromkeys(("atomic", "list_late_events.starting_after", "list_subscription_changes.starting_after"))
NEUTRAL |= dict.fromkeys(("list_imports.starting_after", "kind", "file"))
NEUTRAL |= {"month": "2023-01-01", "allowance": None, "tab": None}
NEUTRAL |= dict.fromkeys(("agreement", "undone", "current_only", "with_reports", "active", "lacks"))
NEUTRAL |= {"plan_move.plan": "pro", "version": 2, "first_day": "2026-12-31", "older": None, "tells": None}


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None


ROUTES = [route for router in (*API, *OWN) for route in router.routes if isinstance(route, APIRoute)]
OURS = [route for route in ROUTES if not route.path.startswith(OPEN)]


@pytest.fixture
def database_url(sqlite_url) -> str:
    """Who may see what is said in one SQL for both."""
    return sqlite_url


@pytest.fixture
def worlds(api, sessions) -> tuple[World, World]:
    """Alba's and Bonbon's."""
    return a_world(sessions, 700_001, "Alba Corp", 5113), a_world(sessions, 700_002, "Bonbon Corp", 7331)


def parameters(dependant: Dependant) -> dict[str, bool]:
    """The names of all query parameters; whether each is needed."""
    needed = {}
    for parameter in dependant.query_params:
        filters = getattr(parameter.field_info.annotation, "model_fields", None)
        fields = {parameter.alias: parameter.field_info} if filters is None else filters
        needed |= {name: field.is_required() for name, field in fields.items()}
    for inner in dependant.dependencies:
        needed |= parameters(inner)
    return needed


def asked(route: APIRoute, own: World, other: World) -> Iterator[Asked]:
    """Every request of this route by ``own`` that names something of ``other``'s, once in each way."""
    (method,) = route.methods - {"HEAD"}
    known = parameters(route.dependant)
    naming = {name: PARAMETERS.get(f"{route.name}.{name}", PARAMETERS.get(name)) for name in known}
    naming = {name: value for name, value in naming.items() if value is not None}
    new = [name for name in known.keys() - naming.keys() if not {name, f"{route.name}.{name}"} & NEUTRAL.keys()]
    assert not new, f"{route.name} takes something that nobody has thought of: {new}"
    needed = {name: NEUTRAL[name] for name, required in known.items() if required and name not in naming}
    needed |= {name: naming[name](own) for name, required in known.items() if required and name in naming}
    body = BODIES[route.name](other) if route.name in BODIES else None
    paths = [route.path]
    if "{" in route.path:
        start = next(start for start in PATHS if route.path.startswith(start))
        named = [re.sub(r"\{\w+\}", name, route.path, count=1) for name in PATHS[start](other)]
        # The id of an event, which each of them has.
        paths = [path.replace("{id:path}", "1").replace("{change_id}", "1") for path in named]
    for path in paths:
        yield Asked(method, path, needed, body)
        for name, value in naming.items():
            yield Asked(method, path, {**needed, name: value(other)}, body)


def ask(client, one: Asked):
    return client.request(one.method, one.path, params=one.query, json=one.body)


def read(content: bytes) -> str:
    """All the text in it, also in files and pictures of text within."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # When it was made is not what it says.
            names = [name for name in archive.namelist() if not name.startswith("docProps")]
            return "\n".join(f"{name}\n{read(archive.read(name))}" for name in names)
    if content.startswith(b"%PDF"):
        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    return content.decode()


def told(answer, world: World) -> tuple[int, str, str, str]:
    """What somebody learns from an answer to a question about this world, its own ids aside."""
    uuids = (world.customer_uuid, world.customer_public, world.report_uuid, world.invoice_public, world.business_public)
    ids = "|".join(map(re.escape, (*uuids, world.subscription)))
    numbers = {world.customer, world.business, world.report, world.invoice, world.note, world.mail}
    numbers |= {world.alert, world.grant}
    text = read(answer.content)
    if answer.status_code >= 400:
        text = re.sub(rf"{ids}|\b0*({'|'.join(map(str, numbers))})\b", "#", text)
    headers = answer.headers
    return answer.status_code, headers.get("content-type", ""), headers.get("content-disposition", ""), text


@pytest.fixture(params=["key", "session"])
def connect(request):
    """``connect(world)``: a program's key, or a browser's session, of somebody of that customer."""
    maker = request.getfixturevalue({"key": "program", "session": "front_end"}[request.param])
    return lambda world: maker("manager", customer_id=world.customer)


def everything_of(sessions, world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that is this customer's."""
    owner = {"customer_id": world.customer, "invoice_id": world.invoice, "report_id": world.report}
    found = {}
    with sessions() as session:
        for table in Base.metadata.sorted_tables:
            for column in owner.keys() & table.columns.keys():
                rows = session.execute(select(table).where(table.c[column] == owner[column]))
                found[f"{table.name} {column}"] = [tuple(row) for row in rows]
    return found


def test_nobody_learns_of_anothers_things_or_changes_them(worlds, connect, sessions):
    alba, bonbon = worlds
    before = everything_of(sessions, bonbon)
    assert sum(map(len, before.values())) > 15
    client = connect(alba)
    by_key = "authorization" in client.headers
    for route in OURS:
        if by_key and not route.path.startswith(APIS):
            continue
        for about_other, about_nobody in zip(asked(route, alba, bonbon), asked(route, alba, NOBODY), strict=True):
            learnt = ask(client, about_other)
            assert told(learnt, bonbon) == told(ask(client, about_nobody), NOBODY), about_other
            # What was asked for may be repeated.
            secrets = [mark for mark in bonbon.marks if mark not in str(about_other)]
            assert not [mark for mark in secrets if mark.lower() in read(learnt.content).lower()], about_other
    assert everything_of(sessions, bonbon) == before


def test_everybody_gets_their_own(worlds, connect):
    """The questions of the test before do find things, where they are one's own."""
    _, bonbon = worlds
    client = connect(bonbon)
    by_key = "authorization" in client.headers
    shown = ""
    for route in OURS:
        if by_key and not route.path.startswith(APIS):
            continue
        for one in asked(route, bonbon, bonbon):
            answer = ask(client, one)
            refused = route.name in FORBIDDEN or any(f"/{key}." in one.path for key in REFUSED_FIGURES)
            assert (answer.status_code == 403) == refused, (one, answer.text)
            assert answer.status_code < 400 or refused, (one, answer.text)
            shown += read(answer.content)
    # The plain dialect has another kind of ids.
    assert [mark for mark in bonbon.marks if mark not in shown] == ([bonbon.report_uuid] if by_key else [])


def test_nobody_gets_anything_without_credentials(worlds, browser):
    _, bonbon = worlds
    client = browser()
    for route in OURS:
        for one in asked(route, bonbon, bonbon):
            assert ask(client, one).status_code == 401
