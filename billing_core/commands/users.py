"""``user add``: a person who may sign in, without the browser."""

import sys
from argparse import Namespace

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM, Role, passwords
from billing_core.people import service
from billing_core.settings import settings


def add(arguments: Namespace) -> Answer:
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


def _hash_from_stdin(email: str, name: str) -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Invalid("There is no password on stdin", fields={"password": "is needed"})
    return passwords.hashed(passwords.acceptable(password, personal=(email, name)))
