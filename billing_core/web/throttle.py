"""Limits on sign-in attempts, by account and by address, and on visitors' requests."""

import hashlib
import math
import time
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerMinute

from billing_core.web import rate_limiter
from billing_core.web.doors.client_address import whose
from billing_core.web.rate_limiter import Limiter

PER_ACCOUNT = RateLimitItemPerMinute(10, 15, namespace="sign-in-account")
PER_ADDRESS = RateLimitItemPerMinute(60, 15, namespace="sign-in-address")
# A page is three requests at most; an office behind one address reads a few invoices at once.
PUBLIC_PER_ADDRESS = RateLimitItemPerMinute(90, 1, namespace="public-address")


@dataclass(frozen=True, slots=True)
class SignInAttempts:
    """The attempts for one account from one address. The account is known by its hash alone."""

    email: str
    address: str

    def wait_seconds(self) -> int:
        """Count one more attempt. 0: it may proceed; otherwise the seconds to wait before the next."""
        limits = ((PER_ADDRESS, whose(self.address)), (PER_ACCOUNT, self._account))
        return rate_limiter.counted(lambda limiter: max([_wait(limiter, limit, key) for limit, key in limits]))

    def succeeded(self) -> None:
        """A correct password resets the count."""
        rate_limiter.counted(lambda limiter: limiter.clear(PER_ACCOUNT, self._account))

    @property
    def _account(self) -> str:
        return hashlib.sha256(self.email.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()


def public_wait_seconds(address: str) -> int:
    """Count one more request from this address. 0: it may proceed; otherwise the seconds to wait before the next."""
    return rate_limiter.counted(lambda limiter: _wait(limiter, PUBLIC_PER_ADDRESS, whose(address)))


def _wait(limiter: Limiter, limit: RateLimitItem, key: str) -> int:
    if limiter.hit(limit, key):
        return 0
    return max(1, math.ceil(limiter.get_window_stats(limit, key).reset_time - time.time()))
