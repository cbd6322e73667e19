"""Processes that end at any time."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from sqlalchemy.orm import Session

from billing_core.database import Sessions


class Killed(BaseException):
    """Stands for the process ending."""


class Mortal(Sessions):
    """Its process may be killed before any transaction that changes something, and after it."""

    def __init__(self, sessions: Sessions, share: float, seed: int) -> None:
        super().__init__(sessions.engine)
        self.share, self._chance, self.kills = share, Random(seed), 0

    @contextmanager
    def begin(self) -> Iterator[Session]:
        self._survive()
        with super().begin() as session:
            yield session
        self._survive()

    def _survive(self) -> None:
        if self._chance.random() < self.share:
            self.kills += 1
            raise Killed
