"""What the proof of online payments finds."""

import pytest
from sqlalchemy import select, update

from billing_core.online_payments import verification
from billing_core.payments.models import Payment, Refund
from tests.online_payments.linked import linked, paying, tell


@pytest.mark.parametrize(
    ("currencies", "wrong"), [(["EUR", "EUR"], False), (["EUR", "USD"], True), (["EUR", "AUD"], True)]
)
def test_what_went_back_in_another_currency_is_found_beside_what_is_right(sessions, currencies, wrong):
    with sessions.begin() as session:
        invoice, link = linked(session)
    payment = paying(link, invoice)
    tell(sessions, payment.succeeded(), payment.refunded(1_000), payment.refunded(2_000))
    with sessions.begin() as session:
        for refund, currency in zip(session.scalars(select(Refund.id)).all(), currencies, strict=True):
            session.execute(update(Refund).where(Refund.id == refund).values(currency=currency))
    with sessions() as session:
        (check,) = (one for one in verification.checks(session) if one.name.startswith("No payment went back"))
        (paid,) = session.scalars(select(Payment))
        assert list(check.wrong) == ([f"payment id {paid.id}, {paid.public_id}"] if wrong else [])
