"""Attempts to sign in: the failed ones are counted, by all processes together, so that nobody can go on guessing.

Known are only hashes of the accounts that were tried, whether they exist or not. What succeeded stays for a while, as
the mark of an address from which the account is used.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Index, String, delete, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing_core.database import Base, turns
from billing_core.database.types import BigId
from billing_core.settings import settings


class SignInAttempt(Base):
    """``origin``: the address, of IPv6 the network. ``browser``: the mark of one in which the account was used before,
    empty where there is none.
    """

    __tablename__ = "sign_in_attempts"
    __table_args__ = (
        Index("ix_sign_in_attempts_account", "account", "at"),
        Index("ix_sign_in_attempts_origin", "origin", "at"),
        Index("ix_sign_in_attempts_at", "at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    account: Mapped[str] = mapped_column(String(64))
    origin: Mapped[str] = mapped_column(String(64))
    browser: Mapped[str] = mapped_column(String(64))
    succeeded: Mapped[bool] = mapped_column(default=False)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many failed attempts in so many minutes."""

    amount: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Knock:
    """Who tries to sign in, as whom: ``email`` as it was typed."""

    email: str
    origin: str
    browser: str = ""

    @property
    def account(self) -> str:
        return settings().derived(f"sign-in account {self.email.strip().lower()}").hex()


@dataclass(frozen=True, slots=True)
class Refusal:
    """``limit`` is reached: the next attempt is in so many ``seconds``."""

    limit: Limit
    seconds: int


# Of one account, from one address, or in one browser in which it was used before. That browser has no other limit:
# whoever guesses elsewhere, or beside it, does not keep its owner out.
BY_ONE: Final = Limit(10, 15)
# From one address, of whatever accounts.
FROM_ONE_ADDRESS: Final = Limit(60, 15)
# Of one account from all addresses together: from those alone that the account was not used from lately.
OF_ONE_ACCOUNT: Final = Limit(100, 60)
KNOWN_FOR: Final = timedelta(days=30)
_FAILURES_KEPT_FOR: Final = timedelta(days=1)


def refusal(session: Session, knock: Knock, *, now: datetime) -> Refusal | None:
    """Why this may not be tried now, if so. Reads only."""
    account = SignInAttempt.account == knock.account
    if knock.browser:
        return _reached(session, BY_ONE, account, SignInAttempt.browser == knock.browser, now=now)
    origin = SignInAttempt.origin == knock.origin
    found = [_reached(session, BY_ONE, account, origin, SignInAttempt.browser == "", now=now)]
    found.append(_reached(session, FROM_ONE_ADDRESS, origin, now=now))
    if not session.scalar(select(exists().where(account, origin, SignInAttempt.succeeded, _since(now - KNOWN_FOR)))):
        found.append(_reached(session, OF_ONE_ACCOUNT, account, now=now))
    return max((one for one in found if one), key=lambda one: one.seconds, default=None)


def begin(session: Session, knock: Knock, *, now: datetime) -> Refusal | None:
    """Count one more attempt as failed, unless it is refused; those at the same time wait for each other."""
    turns.count_sign_ins_alone(session.connection())
    refused = refusal(session, knock, now=now)
    if refused is None:
        session.add(SignInAttempt(at=now, account=knock.account, origin=knock.origin, browser=knock.browser))
    return refused


def succeeded(session: Session, knock: Knock, *, now: datetime) -> None:
    """The count of whoever knew the password starts anew: not that of others who try the same account."""
    account, origin = SignInAttempt.account == knock.account, SignInAttempt.origin == knock.origin
    theirs = SignInAttempt.browser == knock.browser
    counted_together = theirs if knock.browser else theirs & origin
    former = account & (counted_together | (origin & SignInAttempt.succeeded))
    session.execute(delete(SignInAttempt).where(former).execution_options(synchronize_session=False))
    session.add(
        SignInAttempt(at=now, account=knock.account, origin=knock.origin, browser=knock.browser, succeeded=True)
    )


def forget(session: Session, *, now: datetime) -> None:
    """Delete what no limit counts any more."""
    failed = ~SignInAttempt.succeeded & (SignInAttempt.at < now - _FAILURES_KEPT_FOR)
    session.execute(delete(SignInAttempt).where(failed | (SignInAttempt.at < now - KNOWN_FOR)))


def _reached(session: Session, limit: Limit, *which: ColumnElement[bool], now: datetime) -> Refusal | None:
    window = timedelta(minutes=limit.minutes)
    counted = select(SignInAttempt.at).where(~SignInAttempt.succeeded, _since(now - window), *which)
    latest = session.scalars(counted.order_by(SignInAttempt.at.desc()).limit(limit.amount)).all()
    if len(latest) < limit.amount:
        return None
    return Refusal(limit, max(1, math.ceil((latest[-1] + window - now).total_seconds())))


def _since(instant: datetime) -> ColumnElement[bool]:
    return SignInAttempt.at > instant
