"""Which invoices are offered for a payment link."""

import pytest
from sqlalchemy import update

from billing_core.dates import utc_now
from billing_core.errors import Forbidden
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import LinkState, PaymentLink
from billing_core.online_payments.links import link_candidates, workflow
from tests.online_payments.gateways import ScriptedGateway
from tests.payments.books import a_customer, a_draft, an_open_invoice


def test_drafts_and_open_invoices_with_something_due_and_no_living_link(sessions):
    with sessions.begin() as session:
        carla = a_customer(session)
        draft, due = a_draft(session, carla).id, an_open_invoice(session, carla).id
        cancelled, linked = an_open_invoice(session, carla).id, an_open_invoice(session, carla).id
        session.execute(update(Invoice).where(Invoice.id == cancelled).values(state=InvoiceState.CANCELLED))
        other = an_open_invoice(session, a_customer(session, "D2")).id
    link_id = workflow.create(sessions, SYSTEM, ScriptedGateway(), linked, now=utc_now())
    with sessions() as session:
        assert [row.id for row in link_candidates.search(session, SYSTEM, "")] == [other, due, draft]
        assert [row.id for row in link_candidates.search(session, SYSTEM, " d2 ")] == [other]
        assert [row.id for row in link_candidates.search(session, SYSTEM, "", limit=1)] == [other]
        assert (link_candidates.search(session, SYSTEM, "D2")[0].due_minor, link_candidates.glance(session, 99)) == (
            10_000,
            None,
        )
        assert link_candidates.glance(session, link_id)[1:] == (LinkState.ACTIVE, None)
        with pytest.raises(Forbidden):
            link_candidates.search(session, actor_with(Role.MANAGER, user_id=None, name="M"), "")
    with sessions.begin() as session:
        ended = {"state": LinkState.EXPIRED, "ended_at": utc_now()}
        session.execute(update(PaymentLink).where(PaymentLink.id == link_id).values(ended))
    with sessions() as session:
        assert linked in [row.id for row in link_candidates.search(session, SYSTEM, "")]
