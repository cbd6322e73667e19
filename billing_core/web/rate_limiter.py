"""Counts requests for the rate limits: shared between processes through Redis, or in this process's memory."""

import time
from collections.abc import Callable
from functools import cache, cached_property
from typing import Final, TypeVar

import structlog
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisClusterException

from billing_core.settings import settings

# How long an unreachable Redis is not retried: each attempt costs a second.
AWAY_SECONDS: Final = 5.0
_log = structlog.get_logger()
_T = TypeVar("_T")


class _Shared:
    """The Redis of the settings. ``away_until``: when it is tried again, by the process's own clock."""

    def __init__(self) -> None:
        self.away_until = 0.0

    @cached_property
    def limiter(self) -> MovingWindowRateLimiter:
        """Made on first use: a cluster is looked up then, and may be down."""
        timeouts = {"socket_timeout": 1, "socket_connect_timeout": 1}
        return MovingWindowRateLimiter(storage_from_string(settings().redis_url, wrap_exceptions=True, **timeouts))


def counted(count: Callable[[MovingWindowRateLimiter], _T]) -> _T:
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
def _own() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(MemoryStorage())


@cache
def _shared() -> _Shared:
    return _Shared()


def reset() -> None:
    """Start counting anew, for tests."""
    _own.cache_clear()
    _shared.cache_clear()
