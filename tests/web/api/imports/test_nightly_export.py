"""A program's nightly export over a real server, which may be killed: each file goes in once, as it was shown."""

import os
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import select

from billing_core.imports.models import ImportRun
from billing_core.orders.models import Order
from tests.forked import PATIENCE_SECONDS, forked
from tests.imports.files import row_count
from tests.imports.sources.workbooks import zipped
from tests.jobs.test_imports import missed, until

pytestmark = [pytest.mark.slow, pytest.mark.later]
ADDRESS = "/api/v1/imports"
CUSTOMERS = b"customer_ref,name\nACME,Acme Inc\n"
ORDERS = b"order_number,customer_ref,order_date,status\nSO-1,ACME,2025-03-04,shipped\n"
EXPORT = {"file": ("export.zip", zipped({"customers.csv": CUSTOMERS, "orders.csv": ORDERS}))}
ONCE = [("customers", 1), ("orders", 1)]


@pytest.fixture
def serving(program, database_url):
    """``with serving() as (client, process)``: a server in a process of its own, and a program that asks it."""
    credentials = {"Authorization": program().headers["Authorization"]}
    environment = {**os.environ, "BILLING_DATABASE_URL": database_url}

    @contextmanager
    def one():
        with forked("tests/web/api/imports/importing_server.py", environment=environment) as (process, printed):
            address = f"http://127.0.0.1:{int(printed.readline())}"
            with httpx.Client(base_url=address, headers=credentials, timeout=PATIENCE_SECONDS) as client:
                yield client, process

    return one


def sent(client, address, **request):
    answer = client.post(address, **request)
    assert answer.status_code == 202, answer.text
    return answer.json()


def settled(client, posted):
    """What is shown once nothing works on it any more."""
    told = []

    def is_over():
        told.append(client.get(f"{ADDRESS}/{posted}").json())
        return told[-1]["state"] not in ("checking", "importing")

    until(is_over)
    assert all(0 <= one["progress"]["share"] <= 1 for one in told[:-1])
    assert told[-1]["progress"] is None
    return told[-1]


def went_in(sessions) -> list[tuple[str, int]]:
    """Kind and new rows of each import."""
    with sessions() as session:
        rows = session.execute(select(ImportRun.kind, ImportRun.new_count).order_by(ImportRun.id))
        return [tuple(row) for row in rows]


def test_an_export_is_confirmed_the_first_night_and_goes_in_by_itself_the_next(serving, sessions):
    with serving() as (client, _process):
        first = sent(client, ADDRESS, files=EXPORT)
        shown = settled(client, first["id"])
        assert (shown["state"], went_in(sessions)) == ("waiting_for_confirmation", [])
        sent(client, f"{ADDRESS}/{first['id']}/confirm", json={"token": shown["confirm_token"]})
        assert (settled(client, first["id"])["state"], went_in(sessions)) == ("imported", ONCE)

        request = {
            "files": {"file": ("orders.csv", ORDERS + b"SO-2,ACME,2025-03-05,shipped\n")},
            "data": {"when_certain": "true"},
            "headers": {"Idempotency-Key": "the second night"},
        }
        second = sent(client, ADDRESS, **request)
        assert settled(client, second["id"])["state"] == "imported"
        # Sent again, as by a program that was not answered.
        assert sent(client, ADDRESS, **request)["id"] == second["id"]
        assert (went_in(sessions), row_count(sessions, Order)) == ([*ONCE, ("orders", 1)], 2)


def test_what_a_killed_server_has_shown_is_confirmed_at_the_next_by_the_same_token(serving, sessions):
    with serving() as (client, process):
        posted = sent(client, ADDRESS, files=EXPORT)["id"]
        shown = settled(client, posted)
        assert shown["state"] == "waiting_for_confirmation"
        process.kill()
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == -9
    assert went_in(sessions) == []
    missed(sessions)
    confirmation = {"json": {"token": shown["confirm_token"]}}
    with serving() as (client, _process):
        assert client.get(f"{ADDRESS}/{posted}").json() == shown
        sent(client, f"{ADDRESS}/{posted}/confirm", **confirmation)
        assert settled(client, posted)["state"] == "imported"
        assert client.post(f"{ADDRESS}/{posted}/confirm", **confirmation).status_code == 409
    assert (went_in(sessions), row_count(sessions, Order)) == (ONCE, 1)
