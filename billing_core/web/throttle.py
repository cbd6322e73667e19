"""Limits on sign-in attempts, by account and by address, and on requests of visitors and of programs without a key."""

import math
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity.attempts import Knock
from billing_core.people import guessing
from billing_core.web import rate_limiter
from billing_core.web.doors.client_address import whose
from billing_core.web.rate_limiter import Limiter

# A page is three requests at most; an office behind one address reads a few invoices at once.
PUBLIC_PER_ADDRESS = RateLimitItemPerMinute(90, 1, namespace="public-address")
# Tokens that are none, for what has a token of its own.
WRONG_TOKENS_PER_ADDRESS = RateLimitItemPerMinute(30, 15, namespace="wrong-tokens-address")
# How often the audit log tells of programs at one address.
_TOLD: Final = RateLimitItemPerHour(1, namespace="told-of-programs")


@dataclass(frozen=True, slots=True)
class SignInAttempts:
    """The attempts for one account from one address. ``browser``: the mark of one in which the account is known."""

    email: str
    address: str
    browser: str = ""

    def wait_seconds(self) -> int:
        """Count one more attempt. 0: it may proceed; otherwise the seconds to wait before the next."""
        now = utc_now()
        with runtime.sessions()() as session:
            refused = guessing.refusal(session, self._knock, now=now)
            if refused and guessing.is_told(session, self._knock, refused, now=now):
                return refused.seconds
        with runtime.sessions().begin() as session:
            refused = guessing.begin(session, self._knock, now=now)
            if refused:
                guessing.tell(session, self._knock, refused, now=now)
        return refused.seconds if refused else 0

    def succeeded(self, session: Session) -> None:
        """A correct password resets the count of whoever typed it."""
        guessing.succeeded(session, self._knock, now=utc_now())

    @property
    def _knock(self) -> Knock:
        return Knock(self.email, whose(self.address)[:64], self.browser)


def public_wait_seconds(address: str) -> int:
    """Count one more request from this address. 0: it may proceed; otherwise the seconds to wait before the next."""
    return rate_limiter.counted(lambda limiter: _wait(limiter, PUBLIC_PER_ADDRESS, whose(address)))


def wrong_token_wait_seconds(address: str) -> int:
    """Count a wrong token from this address. 0: it is told so; otherwise the seconds to wait before the next."""
    return rate_limiter.counted(lambda limiter: _wait(limiter, WRONG_TOKENS_PER_ADDRESS, whose(address)))


def tell_of_program(address: str) -> None:
    """Somebody at this address is refused who sent one after another of credentials that are none."""
    origin = whose(address)[:64]
    if rate_limiter.counted(lambda limiter: limiter.hit(_TOLD, origin)):
        now = utc_now()
        with runtime.sessions().begin() as session:
            guessing.tell_of_program(session, origin, since=now - timedelta(hours=1), now=now)


def _wait(limiter: Limiter, limit: RateLimitItem, key: str) -> int:
    if limiter.hit(limit, key):
        return 0
    return max(1, math.ceil(limiter.get_window_stats(limit, key).reset_time - time.time()))
