"""The three people of the demo company."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission, Role
from billing_core.identity.models import User

_PEOPLE = {Role.ADMIN: "Ada Admin", Role.MANAGER: "Mario Manager", Role.FINANCE: "Fatima Finance"}


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """``password`` is shown once and kept nowhere."""

    email: str
    role: Role
    password: str


def create_accounts(session: Session, actor: Actor, *, now: datetime) -> list[DemoAccount]:
    """One account for each role, with new passwords."""
    actor.require(Permission.USER_MANAGE)
    accounts = [DemoAccount(f"{role}@demo.example", role, secrets.token_urlsafe(9)) for role in _PEOPLE]
    hasher = PasswordHash((Argon2Hasher(),))
    session.add_all(
        User(
            email=account.email,
            name=_PEOPLE[account.role],
            role=account.role,
            password_hash=hasher.hash(account.password),
            created_at=now,
        )
        for account in accounts
    )
    session.flush()
    return accounts
