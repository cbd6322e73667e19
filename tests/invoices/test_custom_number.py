"""A number of somebody's choice for a draft."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.invoices import custom_number, service
from billing_core.invoices.models import InvoiceState
from tests.invoices.company import GRACE, LATER, READER, a_customer, a_draft, an_invoice, kinds


def give(session, draft, number, actor=GRACE):
    return custom_number.give(session, actor, draft.id, number, now=LATER)


def test_a_draft_keeps_the_number_it_is_given(session):
    draft = a_draft(session, a_customer(session))
    given = give(session, draft, " ACME  7 ")
    assert (given.number, given.series, given.sequence, given.state) == ("ACME 7", None, None, InvoiceState.DRAFT)
    assert kinds(session, draft.id) == ["created"]
    (last,) = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))
    assert (last.actor_name, last.after) == ("Grace Hopper", {"number": "ACME 7"})
    assert service.send(session, GRACE, draft.id, now=LATER).number == "ACME 7"


def test_one_that_matches_the_series_takes_its_place_in_it(session):
    customer = a_customer(session)
    given = give(session, a_draft(session, customer), "INV-2026-001")
    assert (given.series, given.sequence) == ("INV-2026-{seq}", 1)
    assert an_invoice(session, customer).number == "INV-2026-002"


def test_it_is_given_once_and_to_a_draft_alone(session):
    customer = a_customer(session)
    draft, sent = a_draft(session, customer), an_invoice(session, customer)
    give(session, draft, "ACME-7")
    for taken in (draft, sent):
        with pytest.raises(Conflict, match="cannot be given another number"):
            give(session, taken, "ACME-8")
    discarded = a_draft(session, customer)
    service.discard(session, GRACE, discarded.id, now=LATER)
    with pytest.raises(Conflict, match="cannot be given another number"):
        give(session, discarded, "ACME-8")


def test_one_that_is_used_or_cannot_be_one_is_refused(session):
    customer = a_customer(session)
    give(session, a_draft(session, customer), "ACME-7")
    draft = a_draft(session, customer)
    with pytest.raises(Conflict, match="already used"):
        give(session, draft, "ACME-7")
    with pytest.raises(Invalid):
        give(session, draft, "=1+1")
    with pytest.raises(Forbidden):
        give(session, draft, "ACME-8", READER)
    assert draft.number is None
