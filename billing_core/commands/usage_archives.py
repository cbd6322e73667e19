"""``usage archive`` and ``usage bring-back``: events of past months into files, and back from one."""

from argparse import Namespace
from typing import Any

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.metering.archives import service
from billing_core.metering.archives.service import Archived


def archive(arguments: Namespace) -> Answer:
    made = service.archive_before(runtime.sessions(), SYSTEM, arguments.before, arguments.folder, now=utc_now())
    lines = [f"{one.month:%Y-%m}: {one.events:,} events are in {one.file} ({one.size:,} bytes)" for one in made]
    lines.append("Keep the files: the database no longer holds these events" if made else "There is nothing to archive")
    return Answer([_facts(one) for one in made], "\n".join(lines))


def bring_back(arguments: Namespace) -> Answer:
    one = service.bring_back(runtime.sessions(), SYSTEM, arguments.file, now=utc_now())
    return Answer(_facts(one), f"{one.month:%Y-%m}: {one.events:,} events of {one.file} are in the database again")


def _facts(one: Archived) -> dict[str, Any]:
    return {"month": f"{one.month:%Y-%m}", "file": str(one.file), "events": one.events, "bytes": one.size}
