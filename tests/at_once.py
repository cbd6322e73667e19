"""Works that begin in the same moment, each in a thread of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from billing_core.errors import BillingError


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each returned, or the refusal that it was told; anything else fails the test."""
    together = Barrier(len(works), timeout=300)

    def begun(work):
        together.wait()
        try:
            return work()
        except BillingError as refusal:
            return refusal

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(begun, works))
