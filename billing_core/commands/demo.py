"""``demo``: fill an empty database with the demo company and print who may sign in."""

from argparse import Namespace

from billing_core import demo, runtime
from billing_core.businesses import queries as businesses
from billing_core.commands import Answer
from billing_core.database import migrate
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.settings import settings


def fill(_arguments: Namespace) -> Answer:
    now = utc_now()
    migrate.upgrade(runtime.sessions().engine)
    accounts = demo.new_accounts()
    with runtime.sessions()() as session:
        today = businesses.today(session, now=now)
    filled = demo.fill(runtime.sessions(), SYSTEM, accounts=accounts, today=today, now=now)
    data = {
        "customers": filled.customers,
        "orders": filled.orders,
        "lines": filled.lines,
        "reports": filled.reports,
        "calls": filled.calls,
        "accounts": [
            {"email": account.email, "role": account.role, "password": account.password} for account in accounts
        ],
    }
    made = (
        f"The demo company is ready: {filled.customers} customers, {filled.orders:,} orders "
        f"with {filled.lines:,} lines, {filled.reports:,} reports, {filled.calls:,} calls of its API."
    )
    people = [f"  {account.role:<8} {account.email:<22} {account.password}" for account in accounts]
    return Answer(data, "\n".join([made, f"Sign in at {settings().address} (passwords are shown this once):", *people]))
