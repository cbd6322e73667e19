"""``key create``: a key with which a program uses the HTTP APIs."""

from argparse import Namespace

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.customers import queries as customers
from billing_core.dates import utc_now
from billing_core.errors import Invalid, NotFound
from billing_core.identity import SYSTEM, Role
from billing_core.identity.api_keys import KeyMode
from billing_core.people import keys


def create(arguments: Namespace) -> Answer:
    role = Role(arguments.role)
    with runtime.sessions().begin() as session:
        customer_id = None
        if arguments.customer is not None:
            try:
                customer_id = customers.id_of(session, SYSTEM, arguments.customer)
            except NotFound:
                raise Invalid(f"Customer with ID {arguments.customer} not found") from None
        made = keys.make(
            session,
            SYSTEM,
            name=arguments.name,
            role=role,
            customer_id=customer_id,
            mode=KeyMode.TEST if arguments.test else KeyMode.LIVE,
            expires_at=keys.end_of(arguments.expires) if arguments.expires else None,
            now=utc_now(),
        )
    data = {
        "id": made.key_id,
        "name": made.name,
        "role": role.value,
        "customer_id": customer_id,
        "public_key": made.public_key,
        "key": made.secret_key,
        "pair": made.pair,
    }
    text = (
        f"{made.name} acts as {role}. Send “Authorization: Bearer” with this key; it is not shown again.\n"
        f"As a pair: {made.pair}\n{made.secret_key}"
    )
    return Answer(data, text)
