"""How often somebody may try to sign in, by account and by address, and how often they may ask without signing in."""

import hashlib
import math
import time
from dataclasses import dataclass
from functools import cache

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from billing_core.settings import settings

PER_ACCOUNT = RateLimitItemPerMinute(10, 15, namespace="sign-in-account")
PER_ADDRESS = RateLimitItemPerMinute(60, 15, namespace="sign-in-address")
# A page is three requests at most; an office behind one address reads a few invoices at once.
PUBLIC_PER_ADDRESS = RateLimitItemPerMinute(90, 1, namespace="public-address")


@dataclass(frozen=True, slots=True)
class SignInAttempts:
    """What has been tried for one account from one address. The account is known by its hash alone."""

    email: str
    address: str

    def wait_seconds(self) -> int:
        """Count one more attempt. 0: it may go ahead; else how long to wait before the next."""
        limits = ((PER_ADDRESS, self.address), (PER_ACCOUNT, self._account))
        refused = [(limit, key) for limit, key in limits if not _limiter().hit(limit, key)]
        return max((_remaining(limit, key) for limit, key in refused), default=0)

    def succeeded(self) -> None:
        """Somebody who knows the password starts anew."""
        _limiter().clear(PER_ACCOUNT, self._account)

    @property
    def _account(self) -> str:
        return hashlib.sha256(self.email.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()


def public_wait_seconds(address: str) -> int:
    """Count one more request from this address. 0: it may go ahead; else how long to wait before the next."""
    return 0 if _limiter().hit(PUBLIC_PER_ADDRESS, address) else _remaining(PUBLIC_PER_ADDRESS, address)


def _remaining(limit: RateLimitItem, key: str) -> int:
    return max(1, math.ceil(_limiter().get_window_stats(limit, key).reset_time - time.time()))


@cache
def _limiter() -> MovingWindowRateLimiter:
    """Shared between processes where there is a Redis; else this process's own memory."""
    return MovingWindowRateLimiter(storage_from_string(settings().redis_url or "memory://"))


def forget() -> None:
    """Start counting anew, as tests do."""
    _limiter.cache_clear()
