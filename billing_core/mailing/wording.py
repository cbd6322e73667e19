"""A business's own mail texts: read, changed, previewed with a sample, and reset."""

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses import queries as businesses
from billing_core.businesses.models import Business
from billing_core.errors import Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.languages.available import languages
from billing_core.languages.formats import writing
from billing_core.mailing import default_texts, letters, texts
from billing_core.mailing.default_texts import Wording
from billing_core.mailing.letters import Letter
from billing_core.mailing.models import MailKind, MailText
from billing_core.money import Money

_SAMPLE_DAY: Final = date(2026, 3, 2)
_SAMPLE_TOTAL: Final = Decimal("1234.5")
_SAMPLE_PART: Final = Decimal("734.5")
_SAMPLE_SHARE: Final = Decimal(80)


@dataclass(frozen=True, slots=True)
class CurrentWording:
    """``version`` is what ``change`` expects; None while the text is ours."""

    wording: Wording
    version: int | None


def current(session: Session, actor: Actor, business_id: int, kind: MailKind, language: str) -> CurrentWording:
    """A business's text of this kind in a language."""
    actor.require(Permission.BUSINESS_WRITE)
    own = _own(session, business_id, kind, _known(language))
    if own is None:
        return CurrentWording(default_texts.of(kind, language), None)
    return CurrentWording(Wording(own.subject, own.body), own.version)


def changed_ones(session: Session, actor: Actor, business_id: int) -> set[tuple[MailKind, str]]:
    """The kinds and languages in which a business has its own text."""
    actor.require(Permission.BUSINESS_WRITE)
    rows = session.execute(select(MailText.kind, MailText.language).where(MailText.business_id == business_id))
    return {(row.kind, row.language) for row in rows}


def preview(
    session: Session, actor: Actor, business_id: int, kind: MailKind, language: str, wording: Wording
) -> Letter:
    """The mail with a sample customer's data. Invalid names each field at fault, and what in it is unknown."""
    actor.require(Permission.BUSINESS_WRITE)
    business = businesses.one(session, business_id)
    return letters.letter(texts.checked(kind, wording), sample(business, kind, _known(language)), language)


def change(
    session: Session,
    actor: Actor,
    business_id: int,
    kind: MailKind,
    language: str,
    wording: Wording,
    *,
    drawn_from: int | None,
    now: datetime,
) -> None:
    """Use this text from now on. ``drawn_from``: the version that the page showed, None where it was ours.

    Conflict where somebody has changed it meanwhile; Invalid as in ``preview``.
    """
    checked = texts.checked(kind, wording)
    preview(session, actor, business_id, kind, language, checked)
    own = _own(session, business_id, kind, _known(language), locked=True)
    if (own.version if own else None) != drawn_from:
        raise Conflict("Somebody has changed this text in the meantime. Look at it again before you change it.")
    before = Wording(own.subject, own.body) if own else default_texts.of(kind, language)
    if checked == before:
        return
    if own is None:
        session.add(MailText(business_id=business_id, kind=kind, language=_known(language), **asdict(checked)))
    else:
        own.subject, own.body = checked.subject, checked.body
    session.flush()
    _record(session, actor, business_id, kind, language, before, checked, now)


def restore(session: Session, actor: Actor, business_id: int, kind: MailKind, language: str, *, now: datetime) -> None:
    """Return to our text."""
    actor.require(Permission.BUSINESS_WRITE)
    own = _own(session, business_id, kind, _known(language), locked=True)
    if own is not None:
        before = Wording(own.subject, own.body)
        session.delete(own)
        session.flush()
        _record(session, actor, business_id, kind, language, before, default_texts.of(kind, language), now)


def sample(business: Business, kind: MailKind, language: str) -> dict[str, Any]:
    """Made-up data for a preview: every variable of the kind has a value."""
    words = writing(language)
    total, part = (Money.rounded(amount, business.currency) for amount in (_SAMPLE_TOTAL, _SAMPLE_PART))
    days = {MailKind.REMINDER_BEFORE: 3, MailKind.REMINDER_DUE: 0}.get(kind, 14)
    everything = {
        "customer_name": "Acme Corp",
        "business_name": business.name,
        "number": "INV-2026-042",
        "invoice_number": "INV-2026-042",
        "reference": "PO 4711",
        "issued_on": words.long_day(_SAMPLE_DAY),
        "due_on": words.long_day(_SAMPLE_DAY + timedelta(days=30)),
        "from_day": words.long_day(_SAMPLE_DAY),
        "to_day": words.long_day(_SAMPLE_DAY + timedelta(days=30)),
        "days": days,
        "overdue": kind is MailKind.REMINDER_LATE,
        "total": words.money(total.minor, total.currency),
        "amount_due": words.money(part.minor, part.currency),
        "balance": words.money(part.minor, part.currency),
        "early_payment": "",
        "part_paid": True,
        "settled": False,
        "in_credit": False,
        "threshold": words.percent(_SAMPLE_SHARE),
        "of_allowance": True,
        "in_calls": False,
        "calls": words.quantity(_SAMPLE_SHARE * 100),
        "included_calls": words.quantity(Decimal(10_000)),
        "cost": "",
        "refunded": "",
        "reason": "…",
        "plan": "Pro",
        "card": "Visa •••• 4242",
        "goes_on": False,
        "to_confirm": False,
        "ends_on": words.long_day(_SAMPLE_DAY + timedelta(days=3)),
        "ended_on": words.long_day(_SAMPLE_DAY),
        "expires_on": words.long_day(_SAMPLE_DAY + timedelta(days=29)),
        "starts_on": words.long_day(_SAMPLE_DAY + timedelta(days=30)),
        "old_price": words.money(part.minor, part.currency),
        "new_price": words.money(total.minor, total.currency),
        "has_usage": True,
        "next_on": words.long_day(_SAMPLE_DAY + timedelta(days=1)),
        "card_link": letters.card_link("…"),
        "link": letters.invoice_link("…"),
        "pay_link": f"{letters.invoice_link('…')}/pay",
    }
    if kind is MailKind.CREDIT_NOTE:
        everything["number"] = "CN-2026-007"
    return {name: everything[name] for name in texts.VARIABLES[kind]}


def _own(session: Session, business_id: int, kind: MailKind, language: str, *, locked: bool = False) -> MailText | None:
    statement = select(MailText).where(
        MailText.business_id == business_id, MailText.kind == kind, MailText.language == language
    )
    return session.scalars(statement.with_for_update() if locked else statement).one_or_none()


def _known(language: str) -> str:
    if language not in languages():
        raise Invalid(
            f"Mails cannot be written in “{language}”", fields={"language": f"one of {', '.join(languages())}"}
        )
    return language


def _record(
    session: Session,
    actor: Actor,
    business_id: int,
    kind: MailKind,
    language: str,
    before: Wording,
    after: Wording,
    now: datetime,
) -> None:
    was, became = audit.changed(asdict(before), asdict(after))
    subject, label = ("mail_text", f"{business_id}:{kind.value}:{language}"), f"{kind.value} ({language})"
    audit.record(session, actor, "mail_text.change", subject, label=label, before=was, after=became, now=now)
