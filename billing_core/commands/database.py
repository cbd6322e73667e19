"""``migrate``: bring the database up to date."""

from argparse import ArgumentParser, Namespace, _SubParsersAction

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.database import migrate


def register(subcommands: "_SubParsersAction[ArgumentParser]") -> None:
    command = subcommands.add_parser("migrate", help="bring the database up to date")
    command.set_defaults(run=_migrate)


def _migrate(_arguments: Namespace) -> Answer:
    changed = migrate.upgrade(runtime.sessions().engine)
    revision = migrate.head()
    text = f"The database is now at revision {revision}" if changed else f"The database is up to date ({revision})"
    return Answer({"revision": revision, "changed": changed}, text)
