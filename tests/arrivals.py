"""Random tests that arrive: a search in which a step never succeeded has not tried it, and fails.

A refusal is an answer too, so a search that is refused everywhere looks like one that found nothing.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st


class Dealt:
    """Steps in any order, each of them so many times before one comes once more: hardly an example lacks one.

    Rules of a state machine are no match for it: in each example Hypothesis leaves out some, and might one in all.
    """

    def __init__(self, steps: Sequence[Any], times: int = 2) -> None:
        self._round = [*steps] * times
        self._left: list[Any] = []

    def next(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
        self._left = self._left or [*self._round]
        step = draw(st.sampled_from(self._left))
        self._left.remove(step)
        return step


@contextmanager
def arriving(steps: Iterable[str]) -> Iterator[Callable[[str], None]]:
    """``with arriving(["send", "pay"]) as arrived``: around all examples of a run, ``arrived("send")`` where it did.

    The counts are logged: ``pytest --log-cli-level=INFO`` shows them.
    """
    counts = dict.fromkeys(steps, 0)

    def arrived(step: str) -> None:
        counts[step] += 1

    yield arrived
    logging.getLogger(__name__).info("arrived: %s", counts)
    never = [step for step, count in counts.items() if not count]
    assert not never, f"never succeeded in this run: {', '.join(never)}; how often each did: {counts}"
