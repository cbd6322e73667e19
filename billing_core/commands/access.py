"""``user add``: a person who may sign in, without the browser. ``key create``: a key with which a program uses the HTTP
APIs.
"""

import sys
from argparse import Namespace

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.customers import queries as customers
from billing_core.dates import utc_now
from billing_core.errors import Invalid, NotFound
from billing_core.identity import SYSTEM, Role, passwords
from billing_core.identity.api_keys import KeyMode
from billing_core.people import keys, service
from billing_core.settings import settings


def add_user(arguments: Namespace) -> Answer:
    email, name = service.checked(email=arguments.email, name=arguments.name or arguments.email.partition("@")[0])
    role, now = Role(arguments.role), utc_now()
    if arguments.password_stdin:
        password_hash = _hash_from_stdin(email, name)
        with runtime.sessions().begin() as session:
            user = service.add_person(
                session, SYSTEM, email=email, name=name, role=role, password_hash=password_hash, now=now
            )
        return Answer({"id": user.id, "email": email, "role": role.value}, f"{email} can sign in as {role}")
    with runtime.sessions().begin() as session:
        user, token = service.invite(session, SYSTEM, email=email, name=name, role=role, now=now)
    link = f"{settings().address}/auth/welcome?token={token}"
    text = f"{email} becomes {role} by choosing a password within 7 days at\n{link}"
    return Answer({"id": user.id, "email": email, "role": role.value, "link": link}, text)


def create_key(arguments: Namespace) -> Answer:
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


def _hash_from_stdin(email: str, name: str) -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Invalid("There is no password on stdin", fields={"password": "is needed"})
    return passwords.hashed(passwords.acceptable(password, personal=(email, name)))
