"""Who tries to get in, among what needs a hand."""

from billing_core.dates import Day
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.people.figures import REFUSED_GUESSES
from billing_core.people.guessing import REFUSED
from pages.overview_sections.matter import Matter
from pages.ui import formats


def matters(actor: Actor, today: Day) -> list[Matter]:
    """For those who manage people."""
    if not actor.may(Permission.USER_MANAGE):
        return []
    return [
        Matter(
            REFUSED_GUESSES,
            Scope(today=today),
            lambda count: f"{formats.counted(count, 'time')} somebody was kept from guessing passwords or keys",
            "admin/audit.py",
            {"action": REFUSED},
            "Open the audit log",
            Permission.USER_MANAGE,
            ":material/shield:",
        )
    ]
