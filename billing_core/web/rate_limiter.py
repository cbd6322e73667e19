"""Counts requests for the rate limits: shared between processes through Redis, or in this process's memory."""

import time
from bisect import bisect_right
from collections.abc import Callable
from functools import cache, cached_property
from threading import Lock
from typing import Final, Protocol, TypeVar

import structlog
from limits import RateLimitItem, WindowStats
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisClusterException

from billing_core.settings import settings

# How long an unreachable Redis is not retried: each attempt costs a second.
AWAY_SECONDS: Final = 5.0
# How often what has passed is thrown away of those who do not come again.
_SWEPT_EVERY_SECONDS: Final = 60
_log = structlog.get_logger()
_T = TypeVar("_T")


class Limiter(Protocol):
    """Counts requests in moving windows, each by the limit and the text that tells whose they are."""

    def hit(self, limit: RateLimitItem, whose: str, /) -> bool:
        """Count one more; False where the limit is reached, which is not counted."""

    def get_window_stats(self, limit: RateLimitItem, whose: str, /) -> WindowStats:
        """The Unix time at which the oldest one is no longer counted, and how many more there may be."""

    def clear(self, limit: RateLimitItem, whose: str, /) -> None:
        """Forget all."""


class InMemory:
    """Counts for this process alone. The library's own store starts a thread every hundredth of a second to throw away
    what has passed, which takes as long as finding the caller.
    """

    def __init__(self) -> None:
        # When each counted request is no longer counted, in order.
        self._ends: dict[str, list[float]] = {}
        self._swept_at = 0.0
        self._lock = Lock()

    def hit(self, limit: RateLimitItem, whose: str, /) -> bool:
        now = time.time()
        with self._lock:
            ends = self._counted(limit.key_for(whose), now)
            if len(ends) >= limit.amount:
                return False
            ends.append(now + limit.get_expiry())
            return True

    def get_window_stats(self, limit: RateLimitItem, whose: str, /) -> WindowStats:
        now = time.time()
        with self._lock:
            ends = self._counted(limit.key_for(whose), now)
            return WindowStats(ends[0] if ends else now + limit.get_expiry(), limit.amount - len(ends))

    def clear(self, limit: RateLimitItem, whose: str, /) -> None:
        with self._lock:
            self._ends.pop(limit.key_for(whose), None)

    def _counted(self, name: str, now: float) -> list[float]:
        if now - self._swept_at >= _SWEPT_EVERY_SECONDS:
            self._ends = {each: ends for each, ends in self._ends.items() if ends and ends[-1] > now}
            self._swept_at = now
        ends = self._ends.setdefault(name, [])
        del ends[: bisect_right(ends, now)]
        return ends


class _Shared:
    """The Redis of the settings. ``away_until``: when it is tried again, by the process's own clock."""

    def __init__(self) -> None:
        self.away_until = 0.0

    @cached_property
    def limiter(self) -> MovingWindowRateLimiter:
        """Made on first use: a cluster is looked up then, and may be down."""
        timeouts = {"socket_timeout": 1, "socket_connect_timeout": 1}
        return MovingWindowRateLimiter(storage_from_string(settings().redis_url, wrap_exceptions=True, **timeouts))


def counted(count: Callable[[Limiter], _T]) -> _T:
    """The result of ``count``. While Redis is down nobody is shut out: each process counts for itself."""
    if settings().redis_url:
        shared = _shared()
        if time.monotonic() >= shared.away_until:
            try:
                return count(shared.limiter)
            except (StorageError, RedisClusterException) as error:
                shared.away_until = time.monotonic() + AWAY_SECONDS
                kind = type(getattr(error, "storage_error", error)).__name__
                _log.warning("the shared limits cannot be reached", kind=kind)
    return count(_own())


@cache
def _own() -> Limiter:
    return InMemory()


@cache
def _shared() -> _Shared:
    return _Shared()


def reset() -> None:
    """Start counting anew, for tests."""
    _own.cache_clear()
    _shared.cache_clear()
