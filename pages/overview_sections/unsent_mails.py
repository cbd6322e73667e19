"""Mails that nobody has got, as matters that need a hand."""

from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.outbox.figures import FAILED_MAILS, KEPT_MAILS
from billing_core.outbox.models import MessageState
from billing_core.settings import settings
from pages.overview_sections.matter import Matter
from pages.ui import formats


def matters(actor: Actor, now: Scope) -> list[Matter]:
    if not actor.may(Permission.OUTBOX_READ):
        return []
    failed = Matter(
        FAILED_MAILS,
        now,
        lambda count: f"{formats.counted(count, 'message')} not delivered",
        "admin/outbox.py",
        None,
        "Open the outbox",
        Permission.OUTBOX_READ,
        ":material/mark_email_unread:",
    )
    kept = Matter(
        KEPT_MAILS,
        now,
        lambda count: f"{formats.counted(count, 'mail')} kept, which nobody has got: there was no mail server",
        "admin/outbox.py",
        {"state": MessageState.HELD_BACK.value},
        "Open the outbox",
        Permission.OUTBOX_READ,
        ":material/inventory_2:",
    )
    # Without a mail server all are kept, and every page says so. Once there is one, they may be taken for sent.
    return [failed, kept] if settings().sends_mails else [failed]
