"""A workflow of two steps for tests: each writes a line into a file. Its process may be killed between them."""

import os
import signal
from pathlib import Path

from dbos import DBOS


@DBOS.workflow(name="linger")
def linger(file: str) -> None:
    _write(file, "first")
    if os.environ.get("DYING"):
        os.kill(os.getpid(), signal.SIGKILL)
    _write(file, "second")


@DBOS.step(name="write")
def _write(file: str, line: str) -> None:
    with Path(file).open("a") as lines:
        lines.write(f"{line}\n")
