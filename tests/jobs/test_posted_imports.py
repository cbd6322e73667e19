"""Imports that programs post, worked on by processes that die: each goes in once, as it was shown."""

import signal

import pytest
from sqlalchemy import select

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import Role, actor_with
from billing_core.imports import steps
from billing_core.imports.models import ImportRun
from billing_core.imports.posted import queries
from billing_core.imports.posted import service as posting
from billing_core.imports.posted.queries import Posted, PostedState, Poster
from billing_core.orders.models import Order
from tests.forked import carried_out
from tests.imports.files import row_count
from tests.imports.sources.workbooks import zipped
from tests.jobs.test_imports import completed_here, environment, missed

pytestmark = [pytest.mark.slow, pytest.mark.later]
SHOP = Poster(actor_with(Role.ADMIN, user_id=None, name="API key shop"), "key:1")
CUSTOMERS = b"customer_ref,name\nACME,Acme Inc\n"
ORDERS = b"order_number,customer_ref,order_date,status\nSO-1,ACME,2025-03-04,shipped\n"
EXPORT = zipped({"customers.csv": CUSTOMERS, "orders.csv": ORDERS})
ONCE = [("customers", 1), ("orders", 1)]


def post(sessions) -> tuple[int, int]:
    """The ids of the import and of its check."""
    now = utc_now()
    return posting.post(
        sessions, SHOP, "export.zip", [EXPORT], {}, when_certain=False, now=now, also=lambda _session: None
    )


def see(sessions, posted: int) -> Posted:
    with sessions() as session:
        return queries.one(session, SHOP, posted)


def confirm(sessions, posted: int) -> int:
    token = see(sessions, posted).confirm_token
    with sessions.begin() as session:
        return posting.confirm(session, SHOP, posted, token, now=utc_now())


def went_in(sessions) -> list[tuple[str, int]]:
    with sessions() as session:
        rows = session.execute(select(ImportRun.kind, ImportRun.new_count).order_by(ImportRun.id))
        return [tuple(row) for row in rows]


@pytest.mark.parametrize(("dying", "before"), [("checking", []), ("importing", []), ("imported", ONCE)])
def test_a_process_killed_at_its_work_doubles_and_loses_nothing(sessions, database_url, monkeypatch, dying, before):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    posted, job = post(sessions)
    if dying != "checking":
        steps.work_off(sessions, job)
        job = confirm(sessions, posted)
    assert carried_out("tests/jobs/dying_importer.py", environment=environment(database_url, dying)) == -signal.SIGKILL
    assert (went_in(sessions), row_count(sessions, Order)) == (before, len(before) // 2)
    missed(sessions)
    completed_here(sessions, job)
    if dying == "checking":
        assert see(sessions, posted).state is PostedState.WAITING_FOR_CONFIRMATION
        completed_here(sessions, confirm(sessions, posted))
    assert (see(sessions, posted).state, went_in(sessions)) == (PostedState.IMPORTED, ONCE)
