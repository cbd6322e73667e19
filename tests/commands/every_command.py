"""Every command, as the command line itself lists them, and arguments with which each can be carried out."""

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

from billing_core.commands import arguments

PERIOD = ["--from", "2026-03-01", "--to", "2026-03-31"]


def names() -> list[str]:
    """Such as “migrate” and “report generate”."""
    return sorted(_leaves(arguments.parser()))


def _leaves(parser: ArgumentParser, *before: str) -> Iterator[str]:
    actions = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    if not actions:
        yield " ".join(before)
    for action in actions:
        # Another name of the same command is no other one.
        first_names = {id(below): name for name, below in reversed(action.choices.items())}
        for name, below in action.choices.items():
            if first_names[id(below)] == name:
                yield from _leaves(below, *before, name)


def typed(name: str, folder: Path) -> list[str]:
    """The command with what it needs; its files lie in the folder."""
    source = folder / "customers.csv"
    source.write_text("customer_ref,name\nACME,Acme Inc\n")
    needed = {
        "customer merge": ["BOLT", "--into", "ACME"],
        "backup": ["-o", str(folder / "backup.sqlite3")],
        "demo": [],
        "import auto": [str(source)],
        "import customers": [str(source)],
        "import template": ["rates"],
        "imports list": [],
        "imports show": ["1"],
        "imports take-back": ["1"],
        "jobs": [],
        "key create": ["--name", "ERP", "--role", "admin"],
        "migrate": [],
        "move": [f"sqlite:///{folder / 'moved.sqlite3'}"],
        "renewals run": [],
        "report generate": ["--customer", "ACME", *PERIOD],
        "report run": PERIOD,
        "restore": [str(folder / "backup.sqlite3")],
        "usage invoice": PERIOD,
        "usage archive": ["--before", "2020-01", "--to", str(folder)],
        "usage bring-back": [str(source)],
        "usage export": ["--customer", "ACME", *PERIOD, "-o", str(folder / "events.ndjson")],
        "usage show": ["--customer", "ACME", *PERIOD],
        "user add": ["ada@acme.example", "--role", "admin"],
        "verify": [],
        "worker": [],
    }
    return [*name.split(), *needed[name]]
