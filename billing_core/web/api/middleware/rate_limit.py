"""The rate limit of programs: 100 requests a minute and 10 a second, for each key and each person."""

import math
import time
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond

from billing_core.web import rate_limiter
from billing_core.web.rate_limiter import Limiter

PER_MINUTE = RateLimitItemPerMinute(100, namespace="api-minute")
PER_SECOND = RateLimitItemPerSecond(10, namespace="api-second")
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@dataclass(frozen=True, slots=True)
class Count:
    """The use of a limit. ``reset``: the Unix second at which more is free. ``wait`` 0: the request may proceed."""

    limit: int
    remaining: int
    reset: int
    wait: int

    @property
    def headers(self) -> dict[str, str]:
        headers = dict(zip(HEADERS, map(str, (self.limit, self.remaining, self.reset)), strict=True))
        return headers | ({"Retry-After": str(self.wait)} if self.wait else {})


def count(limit_key: str) -> Count:
    """Count one more request. One that is refused is not counted, so that waiting helps."""
    return rate_limiter.counted(lambda limiter: _counted(limiter, limit_key))


def _counted(limiter: Limiter, limit_key: str) -> Count:
    refused: RateLimitItem | None = None
    reset, remaining = limiter.get_window_stats(PER_MINUTE, limit_key)
    if remaining < 1:
        refused = PER_MINUTE
    elif not limiter.hit(PER_SECOND, limit_key):
        refused = PER_SECOND
    elif not limiter.hit(PER_MINUTE, limit_key):
        refused = PER_MINUTE
    else:
        remaining -= 1
    wait = 0
    if refused is not None:
        wait = max(1, math.ceil(limiter.get_window_stats(refused, limit_key).reset_time - time.time()))
    return Count(PER_MINUTE.amount, max(0, remaining), math.ceil(reset), wait)
