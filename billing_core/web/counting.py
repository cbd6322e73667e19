"""Where it is counted how often somebody asks: shared between processes through Redis, or in this process's memory."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import structlog
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from billing_core.settings import settings

_log = structlog.get_logger()
_T = TypeVar("_T")


def counted(count: Callable[[MovingWindowRateLimiter], _T]) -> _T:
    """What ``count`` finds. While Redis is away nobody is shut out: each process counts for itself until it is back."""
    if settings().redis_url:
        try:
            return count(_shared())
        except StorageError as error:
            _log.warning("the shared limits cannot be reached", kind=type(error.storage_error).__name__)
    return count(_own())


@cache
def _own() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(MemoryStorage())


@cache
def _shared() -> MovingWindowRateLimiter:
    """In the Redis of the settings; one that does not answer is not waited for."""
    patience = {"socket_timeout": 1, "socket_connect_timeout": 1}
    return MovingWindowRateLimiter(storage_from_string(settings().redis_url, wrap_exceptions=True, **patience))


def forget() -> None:
    """Start counting anew, as tests do."""
    _own.cache_clear()
    _shared.cache_clear()
