"""A process dies at any point of its work, and another one goes on: each customer has one of everything."""

from collections.abc import Iterator
from contextlib import contextmanager

import hypothesis
import pytest
from hypothesis import strategies
from sqlalchemy import event, func, select

from billing_core.bill_runs.models import RunGoal
from billing_core.commands import verify
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import PaymentLink
from billing_core.online_payments.links import workflow as links
from tests.bill_runs.company import Killed, made, planned, some_customers, worked_off, worked_off_in_spite_of
from tests.online_payments.gateways import ScriptedGateway

# More than the statements that one customer takes: some kills come too late to hit anybody.
_STATEMENTS = 160


class DyingGateway(ScriptedGateway):
    """The process dies while it asks: ``before`` the gateway heard of it, or when its answer should be recorded."""

    def __init__(self, *, before: int = 0, after: int = 0) -> None:
        super().__init__()
        self.before, self.after = before, after

    def create_link(self, charge, way, *, key):
        if self.before:
            self.before -= 1
            raise Killed
        created = super().create_link(charge, way, key=key)
        if self.after:
            self.after -= 1
            raise Killed
        return created


@contextmanager
def dying_at(sessions, statements: list[int]) -> Iterator[None]:
    """Each process dies before the statement of this number, counted from its start; later ones live."""
    left = iter(statements)
    until = next(left, None)

    def count(*_of_the_statement) -> None:
        nonlocal until
        if until is None:
            return
        until -= 1
        if until < 0:
            until = next(left, None)
            raise Killed

    event.listen(sessions.engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(sessions.engine, "before_cursor_execute", count)


def one_of_each(customer_ids, *, links: int) -> dict[str, dict[int, int]]:
    one = dict.fromkeys(customer_ids, 1)
    return {"reports": one, "invoices": one, "mails": one, "links": one if links else {}}


@pytest.mark.parametrize("deaths", [{"before": 2}, {"after": 2}, {"before": 1, "after": 1}])
def test_while_the_gateway_is_asked(sessions, deaths):
    with sessions.begin() as session:
        company = some_customers(session, 2)
    run_id = planned(sessions, goal=RunGoal.SENT, with_links=True)
    gateway = DyingGateway(**deaths)

    done = worked_off_in_spite_of(sessions, run_id, gateway)

    assert (done.created, done.sent, done.running) == (2, 2, False)
    assert made(sessions, company) == one_of_each(company, links=1)
    assert len(gateway.places) == 2


@pytest.mark.parametrize("step", ["_ask", "_record"])
def test_after_the_request_or_its_answer_was_recorded(sessions, monkeypatch, step):
    """The transaction is committed, and then the process dies."""
    with sessions.begin() as session:
        company = some_customers(session, 2)
    run_id = planned(sessions, goal=RunGoal.SENT, with_links=True)
    gateway, real, deaths = ScriptedGateway(), getattr(links, step), 2

    def and_die(session, *arguments, **facts):
        nonlocal deaths
        returned = real(session, *arguments, **facts)
        if deaths:
            deaths -= 1
            session.commit()
            raise Killed
        return returned

    monkeypatch.setattr(links, step, and_die)

    done = worked_off_in_spite_of(sessions, run_id, gateway)

    assert (deaths, done.created, done.sent, done.running) == (0, 2, 2, False)
    assert made(sessions, company) == one_of_each(company, links=1)
    assert len(gateway.places) == 2
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(PaymentLink)) == 2


@pytest.mark.drawn
def test_before_any_statement_whatsoever(sessions):
    """New customers for each example, in one database."""
    runs = 0

    @hypothesis.settings(max_examples=20, suppress_health_check=[hypothesis.HealthCheck.too_slow])
    @hypothesis.given(
        statements=strategies.lists(strategies.integers(0, _STATEMENTS), max_size=4), with_links=strategies.booleans()
    )
    def goes_on(statements, with_links):
        nonlocal runs
        runs += 1
        with sessions.begin() as session:
            company = some_customers(session, 2, named=f"R{runs}-")
        run_id = planned(sessions, company, goal=RunGoal.SENT, with_links=with_links)
        gateway = ScriptedGateway()
        with dying_at(sessions, statements):
            done = worked_off_in_spite_of(sessions, run_id, gateway)
        # Once more, as a process that takes over and finds that all is done.
        assert worked_off(sessions, run_id, gateway) == done
        assert (done.created, done.sent, done.failed, done.running) == (2, 2, 0, False)
        assert made(sessions, company) == one_of_each(company, links=with_links)
        assert len(gateway.places) == (2 if with_links else 0)

    goes_on()
    with sessions() as session:
        numbers = session.scalars(select(Invoice.sequence).order_by(Invoice.sequence)).all()
        assert numbers == list(range(1, 2 * runs + 1))
        assert [check for check in verify.checks(session) if check.wrong] == []
