"""A plugin of pytest that keeps what Hypothesis drew in the first few examples of each test, and what was written to
the database of them.

``python -m pytest -p tests.drawn …`` with ``DRAWN`` in the environment, a file: JSON, by test how many examples it had,
at most ``EXAMPLES``, and the digests of what they drew and of the statements that wrote. What was read is left out:
SQLAlchemy forgets objects when the garbage is collected, and reads them again.
"""

import hashlib
import json
import os
from collections import defaultdict
from pathlib import Path

from hypothesis import settings
from hypothesis.control import currently_in_test_context
from hypothesis.internal.conjecture.data import ConjectureData
from sqlalchemy import event
from sqlalchemy.engine import Engine


class Drawn:
    """Of one test."""

    def __init__(self):
        self.examples, self.choices, self.written = 0, hashlib.sha256(), hashlib.sha256()


_of_tests = defaultdict(Drawn)
_freeze = ConjectureData.freeze


def _of_this_test():
    return _of_tests[os.environ["PYTEST_CURRENT_TEST"].split(" ")[0]]


def _freeze_and_keep(self):
    if not self.frozen:
        drawn = _of_this_test()
        drawn.examples += 1
        drawn.choices.update(repr((self.status, self.choices)).encode())
    _freeze(self)


ConjectureData.freeze = _freeze_and_keep
# The class itself refuses to be changed.
type.__setattr__(settings, "max_examples", property(lambda _: int(os.environ["EXAMPLES"])))


@event.listens_for(Engine, "before_cursor_execute")
def _keep_written(connection, cursor, statement, parameters, context, executemany):
    if currently_in_test_context() and statement.startswith(("INSERT", "UPDATE", "DELETE")):
        _of_this_test().written.update(statement.encode())


def pytest_sessionfinish():
    told = {
        name: [drawn.examples, drawn.choices.hexdigest(), drawn.written.hexdigest()]
        for name, drawn in _of_tests.items()
        if drawn.examples
    }
    Path(os.environ["DRAWN"]).write_text(json.dumps(told))
