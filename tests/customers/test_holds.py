"""Holding a customer back from reminders."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers import queries, service
from billing_core.errors import Forbidden, Invalid
from tests.invoices.company import GRACE, LATER, READER, TODAY, a_customer


def test_a_hold_and_its_end_are_kept_with_who_and_why(sessions):
    with sessions.begin() as session:
        acme = a_customer(session)
        service.hold(session, GRACE, acme, until=TODAY, reason=" Court  case ", today=TODAY, now=LATER)
    with sessions() as session:
        customer = queries.one(session, GRACE, acme)
        assert (customer.held_until, customer.hold_reason) == (TODAY, "Court case")
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert (entry.actor_name, entry.subject_id) == ("Grace Hopper", str(acme))
    with sessions.begin() as session:
        service.release(session, GRACE, acme, now=LATER)
    with sessions() as session:
        customer = queries.one(session, GRACE, acme)
        assert (customer.held_until, customer.hold_reason) == (None, "")


@pytest.mark.parametrize(("days", "reason"), [(-1, "Court case"), (1, " ")])
def test_a_hold_that_is_over_or_has_no_reason_is_refused(sessions, days, reason):
    with sessions.begin() as session:
        acme = a_customer(session)
        until = TODAY + timedelta(days=days)
        with pytest.raises(Invalid):
            service.hold(session, GRACE, acme, until=until, reason=reason, today=TODAY, now=LATER)


def test_who_only_reads_holds_nobody(sessions):
    with sessions.begin() as session:
        acme = a_customer(session)
        with pytest.raises(Forbidden):
            service.hold(session, READER, acme, until=TODAY, reason="Court case", today=TODAY, now=LATER)
        with pytest.raises(Forbidden):
            service.release(session, READER, acme, now=LATER)
