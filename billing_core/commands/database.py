"""``migrate``: bring the database up to date."""

from argparse import Namespace

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.database import migrate


def migrate_database(_arguments: Namespace) -> Answer:
    changed = migrate.upgrade(runtime.sessions().engine)
    revision = migrate.head()
    text = f"The database is now at revision {revision}" if changed else f"The database is up to date ({revision})"
    return Answer({"revision": revision, "changed": changed}, text)
