"""A data folder with one customer whose March is rated and reported, and an administrator who is signed in."""

from pathlib import Path

from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import utc_now
from billing_core.identity import Role
from tests.pages.conftest import signed_in_user
from tests.reports import company


def prepared(folder: Path) -> tuple[int, str]:
    """The report's id and the token of the administrator's session."""
    sessions = Sessions(connect(f"sqlite:///{folder / 'billing.sqlite3'}"))
    upgrade(sessions.engine)
    with sessions.begin() as session:
        customer_id = company.a_customer(session)
        session.get_one(Customer, customer_id).email = "ap@acme.example"
        company.an_order(session, customer_id, "A-1")
        company.an_order(session, customer_id, "A-2")
        report = company.billed(session, customer_id)
    _, token = signed_in_user(sessions, Role.ADMIN, now=utc_now())
    sessions.engine.dispose()
    return report.id, token
