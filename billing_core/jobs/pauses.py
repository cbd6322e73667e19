"""Which queues are paused, as this process last heard."""

from collections.abc import Set

from billing_core.jobs import nudges
from billing_core.processes.models import Queue

_paused: frozenset[Queue] = frozenset()


def is_paused(queue: Queue) -> bool:
    """From memory, a few seconds old at most: asked before each thing that is taken up."""
    return queue in _paused


def learn(paused: Set[Queue]) -> None:
    """What the database says now. What is resumed is looked at once more."""
    global _paused
    resumed, _paused = _paused - paused, frozenset(paused)
    nudges.wake(*resumed)
