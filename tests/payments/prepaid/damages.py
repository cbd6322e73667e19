"""Credit in every state, and how each check of it fails where that is damaged.

C1 was given 100.00, of which an invoice took 40.00 and gave them back, another took 30.00, and 70.00 were taken back;
it was given 5.00 that expired, and has bought 20.00.
"""

from datetime import timedelta

from sqlalchemy.orm import Session

from billing_core.identity import SYSTEM
from billing_core.payments import credit
from billing_core.payments.prepaid import granting
from tests.payments.books import NOW, TODAY, a_customer
from tests.payments.prepaid.ahead import buy, give, keep_up, prepaid, use


def prepare(session: Session) -> None:
    customer, day = a_customer(session), {"today": TODAY, "now": NOW}
    given = give(session, customer, 100_00)
    (reversed_one,) = prepaid(session, use(session, customer, "40"))
    credit.release(session, SYSTEM, reversed_one.id, reason="A mistake", **day)
    use(session, customer, "30")
    granting.take_back(session, SYSTEM, given, reason="A mistake", **day)
    give(session, customer, 5_00, TODAY)
    keep_up(session, now=NOW + timedelta(days=1))
    buy(session, customer, 20_00)


ONE, TWO, THREE = (f"prepaid credit {number} of customer 1" for number in (1, 2, 3))
# By the name of the check: a statement, and what the check then names.
DAMAGES = {
    "What is left of each prepaid credit is what was granted less what was used, expired and withdrawn": [
        ("UPDATE prepaid_grants SET remaining_minor = remaining_minor - 1 WHERE id = 3", THREE),
        ("UPDATE prepaid_grants SET withdrawn_minor = withdrawn_minor - 1 WHERE id = 1", ONE),
        ("UPDATE prepaid_grants SET withdrawn_minor = 1 WHERE id = 2", TWO),
        ("DELETE FROM prepaid_movements WHERE kind = 'expired'", TWO),
        ("UPDATE prepaid_movements SET kind = 'expired' WHERE kind = 'withdrawn'", ONE),
        ("UPDATE prepaid_grants SET amount_minor = amount_minor + 1 WHERE id = 3", THREE),
    ],
    "What prepaid credit paid of each invoice was taken from it": [
        ("UPDATE prepaid_movements SET amount_minor = -2999 WHERE amount_minor = -3000", "invoice id 2"),
        ("DELETE FROM prepaid_movements WHERE kind = 'released'", "invoice id 1"),
        ("UPDATE payment_allocations SET undone_at = NULL", "invoice id 1"),
        ("UPDATE payment_allocations SET undone_at = created_at", "invoice id 2"),
        ("UPDATE payment_allocations SET kind = 'credit' WHERE amount_minor = 3000", "invoice id 2"),
        ("UPDATE payment_allocations SET amount_minor = 3001 WHERE invoice_id = 2", "invoice id 2"),
        ("UPDATE prepaid_movements SET allocation_id = 1 WHERE allocation_id = 2", "invoice id 1", "invoice id 2"),
    ],
    "The prepaid credit of each customer is what was posted": [
        ("UPDATE prepaid_grants SET remaining_minor = remaining_minor - 1 WHERE id = 3", "customer 1 in EUR"),
        ("UPDATE prepaid_grants SET currency = 'USD' WHERE id = 3", "customer 1 in EUR", "customer 1 in USD"),
        ("DELETE FROM ledger_postings WHERE account = 'prepaid_credit'", "customer 1 in EUR"),
        (
            "UPDATE ledger_postings SET customer_id = 9 WHERE account = 'prepaid_credit'",
            *("customer 1 in EUR", "customer 9 in EUR"),
        ),
    ],
}
