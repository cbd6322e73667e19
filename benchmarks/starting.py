"""What a command costs before its work begins, against ``import sqlalchemy`` alone: seconds of processor time.

Each side is a process of its own, and they take turns, so that a busy minute hits all of them. A command with nothing
to do is run as a whole: it has loaded what it needs, read the settings and opened the database.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

from billing_core.database import connect
from billing_core.database.migrate import upgrade

PROJECT = Path(__file__).parent.parent
ROUNDS = 9
_BARE = ["-c", "import sqlalchemy"]
_PERIOD = ["--from", "2026-01-01", "--to", "2026-01-31"]
# The command, its exit code on an empty database, and the aim.
COMMANDS = {
    "--help": (["--help"], 0, "<= 1"),
    "report generate --help": (["report", "generate", "--help"], 0, "<= 1"),
    "report generate": (["report", "generate", "--customer", "nobody", *_PERIOD], 1, "<= 4"),
    "report run": (["report", "run", *_PERIOD], 1, ""),
    "import": (["import", "customers", "customers.csv", "--dry-run"], 0, ""),
    "user add": (["user", "add", "no address", "--role", "admin"], 1, ""),
    "key create": (["key", "create", "--name", "ERP", "--role", "admin", "--customer", "nobody"], 1, ""),
    "migrate": (["migrate"], 0, ""),
    "verify": (["verify"], 0, ""),
}


def run(scratch: Path) -> list[dict]:
    engine = connect(f"sqlite:///{scratch / 'billing.sqlite3'}")
    upgrade(engine)
    engine.dispose()
    (scratch / "customers.csv").write_text("customer_ref,name\n")
    taken: dict[str, list[float]] = {"": [], **{name: [] for name in COMMANDS}}
    for turn in range(ROUNDS + 1):
        seconds = {"": _seconds(scratch, _BARE, 0)}
        for name, (typed, code, _aim) in COMMANDS.items():
            seconds[name] = _seconds(scratch, ["-m", "billing_core", *typed], code)
        # The first turn compiles and reads the files.
        if turn:
            for name, spent in seconds.items():
                taken[name].append(spent)
    bare = median(taken[""])
    return [
        {
            "name": f"billing_core {name}, against “import sqlalchemy”",
            "ours": round(median(taken[name]), 3),
            "limit": round(bare, 3),
            "unit": "s of CPU",
            "ratio": round(median(taken[name]) / bare, 2),
            "aim": aim,
        }
        for name, (_typed, _code, aim) in COMMANDS.items()
    ]


def _seconds(scratch: Path, arguments: list[str], code: int) -> float:
    environment = {**os.environ, "BILLING_DATA_DIR": str(scratch), "PYTHONPATH": str(PROJECT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run([sys.executable, *arguments], cwd=scratch, env=environment, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != code:
        raise SystemExit(f"{arguments} ended with {ended.returncode}: {ended.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
