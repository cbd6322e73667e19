"""Who drops which files in tests, and when."""

from datetime import UTC, datetime

from billing_core.identity import Role, actor_with
from billing_core.imports import inbox

ADA = actor_with(Role.ADMIN, user_id=1, name="Ada")
EVE = actor_with(Role.ADMIN, user_id=2, name="Eve")
CUSTOMERS = b"customer_ref,name\nACME,Acme Inc\n"
ORDERS = b"order_number,customer_ref,order_date\nSO-1,ACME,2025-03-04\n"
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def rejected(sessions, token, actor=ADA) -> bytes:
    with sessions() as session:
        return b"".join(inbox.rejected_rows(session, actor, token))
