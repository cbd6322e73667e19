"""The three people of the demo company."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from billing_core.identity import Actor, Role, passwords
from billing_core.people import service as people

_NAMES = {Role.ADMIN: "Ada Lindqvist", Role.MANAGER: "Matteo Moretti", Role.FINANCE: "Fatima Haddad"}


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """``password`` is shown once; only its hash is kept."""

    email: str
    role: Role
    password: str
    password_hash: str


def new_accounts() -> list[DemoAccount]:
    """One account a role, each with a password of its own. Hashing takes its time: before the transaction."""
    chosen = {role: secrets.token_urlsafe(12) for role in _NAMES}
    return [
        DemoAccount(f"{role}@demo.example", role, password, passwords.hashed(password))
        for role, password in chosen.items()
    ]


def add_accounts(session: Session, actor: Actor, accounts: Iterable[DemoAccount], *, now: datetime) -> None:
    for account in accounts:
        people.add_person(
            session,
            actor,
            email=account.email,
            name=_NAMES[account.role],
            role=account.role,
            password_hash=account.password_hash,
            now=now,
        )
