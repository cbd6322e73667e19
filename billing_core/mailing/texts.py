"""The templates of mails, our own and a business's: what they may contain, and how they are filled in.

A template may contain only values, ``if``, and a few filters, so that no text can reach anything else, run long, or
grow large.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from billing_core.errors import Invalid
from billing_core.mailing.default_texts import Wording
from billing_core.mailing.models import MailKind
from billing_core.text import closed, control_character

LONGEST: Final = {"subject": 300, "body": 20_000}
REMINDERS: Final = (MailKind.REMINDER_BEFORE, MailKind.REMINDER_DUE, MailKind.REMINDER_LATE)
FILTERS: Final = ("upper", "lower", "default")

_ALWAYS: Final = {"customer_name": "the customer's name", "business_name": "our business's name"}
_OF_INVOICES: Final = _ALWAYS | {
    "number": "the invoice's number",
    "reference": "the customer's reference; may be empty",
    "issued_on": "the invoice's date",
    "due_on": "the due date",
    "days": "whole days between the due date and today",
    "overdue": "yes where it is overdue, be it before its due date (for if)",
    "total": "the invoice's total",
    "amount_due": "what is still to be paid",
    "early_payment": "what is to be paid until when with a discount for early payment; empty where there is none",
    "part_paid": "yes where a part of it is settled (for if)",
    "settled": "yes where nothing is due any more (for if)",
    "link": "the address of the customer's page of the invoice",
    "pay_link": "the address where it can be paid online; empty where it cannot",
}
_OF_MOVES: Final = _ALWAYS | {
    "plan": "the plan's name",
    "starts_on": "the first day of the new terms",
    "old_price": "what the billing period that begins then costs by the terms so far, at full prices and without tax",
    "new_price": "what it costs by the new terms",
}
# The variables of each kind of mail; the page shows the descriptions.
VARIABLES: Final[Mapping[MailKind, Mapping[str, str]]] = {
    MailKind.INVOICE: _OF_INVOICES,
    MailKind.REMINDER_BEFORE: _OF_INVOICES,
    MailKind.REMINDER_DUE: _OF_INVOICES,
    MailKind.REMINDER_LATE: _OF_INVOICES,
    MailKind.CREDIT_NOTE: _ALWAYS
    | {
        "number": "the credit note's number",
        "invoice_number": "the number of its invoice",
        "issued_on": "the credit note's date",
        "total": "its total",
        "reason": "why it was issued",
        "refunded": "what of it was paid back; empty where nothing was",
    },
    MailKind.STATEMENT: _ALWAYS
    | {
        "from_day": "the statement's first day",
        "to_day": "its last day",
        "balance": "the balance on that day, without a sign",
        "in_credit": "yes where the balance is in the customer's favour (for if)",
    },
    MailKind.USAGE_ALERT: _ALWAYS
    | {
        "from_day": "the first day of the period of usage",
        "to_day": "its last day",
        "threshold": "what was reached: a share of the included calls, calls, or a cost",
        "of_allowance": "yes where it is a share of the included calls (for if)",
        "in_calls": "yes where it is a number of calls (for if)",
        "calls": "the API calls so far",
        "included_calls": "the included API calls; empty where none are",
        "cost": "what the usage costs so far; empty where nothing has a price",
    },
    MailKind.TRIAL_ENDING: _ALWAYS
    | {
        "plan": "the plan's name",
        "ends_on": "the day on which the trial ends",
        "card": "the card that is charged then; empty where there is none",
        "goes_on": "yes where the subscription goes on without a card, too (for if)",
        "card_link": "the address where the customer can give us a card; empty where there is one",
    },
    MailKind.CHARGE_FAILED: _OF_INVOICES
    | {
        "card": "the card that was charged in vain",
        "to_confirm": "yes where the bank wants the customer to confirm the payment (for if)",
        "next_on": "the day on which it is charged again; empty where it is not",
        "card_link": "the address where the customer can give us another card",
    },
    MailKind.CARD_EXPIRING: _ALWAYS
    | {
        "plan": "the plan's name, of several one after the other",
        "card": "the card",
        "expires_on": "its last day",
        "card_link": "the address where the customer can give us another card",
    },
    MailKind.CARD_REQUEST: _ALWAYS
    | {
        "plan": "the plan's name",
        "card": "the card that is charged now; empty where there is none",
        "expires_on": "its last day; empty where there is none",
        "card_link": "the address where the customer can give us a card",
    },
    MailKind.SUBSCRIPTION_ENDED: _ALWAYS
    | {"plan": "the plan's name", "ended_on": "the day on which the subscription ended"},
    MailKind.PLAN_MOVE: _OF_MOVES | {"has_usage": "yes where usage has a price by the new terms (for if)"},
    MailKind.PLAN_MOVE_WITHDRAWN: _OF_MOVES,
}
_ENVIRONMENT: Final = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: closed(value) if isinstance(value, str) else value,
)
_ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.If,
    nodes.Compare,
    nodes.Operand,
    nodes.Const,
    nodes.Not,
    nodes.And,
    nodes.Or,
    nodes.Filter,
)
_EMPTY_LINES: Final = re.compile(r"\n{3,}")
# A placeholder, as people see it in a letter that waits for its number.
_PLACE: Final = re.compile(r"\{\{ *(\w+) *\}\}")


def fill(template: str, values: Mapping[str, Any], *, field: str = "body") -> str:
    """The text filled in, with at most one empty line in a row. Invalid says what does not fit."""
    try:
        written = _compiled(template).render(values)
    except (TemplateError, TypeError) as error:  # comparing a number with a text is a TypeError
        raise Invalid(f"The text cannot be filled in: {error}", fields={field: str(error)}) from None
    return _tidy(written, field)


def fill_changed(changed: Wording, values: Mapping[str, Any]) -> Wording:
    """A filled-in letter as edited: no longer a template, except for the placeholders of single values.

    The text of a value (a customer may be called ``{% x``) stays as it is. Invalid names every field at fault, and a
    placeholder that no value fits.
    """
    tidied, reasons = _limited(changed)
    brought = [value for value in values.values() if isinstance(value, str)]

    def filled(field: str, text: str) -> str:
        def value_at(place: re.Match[str]) -> str:
            if place[1] != "number" and any(place[0] in value for value in brought):
                return place[0]
            if place[1] not in values:
                reasons.setdefault(field, _unknown(place[1], values))
            return str(values.get(place[1], ""))

        return _tidy(_PLACE.sub(value_at, text), field)

    done = Wording(filled("subject", tidied.subject), filled("body", tidied.body))
    if reasons:
        raise Invalid("The text cannot be used as it is", fields=reasons)
    return done


def checked(kind: MailKind, wording: Wording) -> Wording:
    """The wording as it is stored. Invalid names every field at fault and what in it is unknown or not allowed."""
    tidied, reasons = _limited(wording)
    for field, text in (("subject", tidied.subject), ("body", tidied.body)):
        if field not in reasons and (problem := _problem(text, VARIABLES[kind])):
            reasons[field] = problem
    if reasons:
        raise Invalid("The text cannot be used as it is", fields=reasons)
    return tidied


def _limited(wording: Wording) -> tuple[Wording, dict[str, str]]:
    """The wording as it is stored, and what is wrong with it as text, by field."""
    reasons: dict[str, str] = {}
    tidied = Wording(wording.subject.strip(), wording.body.replace("\r\n", "\n").strip() + "\n")
    for field, text in (("subject", tidied.subject), ("body", tidied.body)):
        if not text.strip():
            reasons[field] = "is needed"
        elif len(text) > LONGEST[field]:
            reasons[field] = f"may have at most {LONGEST[field]:,} characters, and has {len(text):,}"
        elif character := control_character(text):
            reasons[field] = f"has a character in it that cannot be kept ({character})"
        elif field == "subject" and "\n" in text:
            reasons[field] = "is one line"
    return tidied, reasons


def _tidy(text: str, field: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return " ".join(lines.split()) if field == "subject" else _EMPTY_LINES.sub("\n\n", lines)


def _unknown(name: str, known: Collection[str]) -> str:
    return f"has “{name}”, which this kind of mail does not know; there are {', '.join(known)}"


@lru_cache(maxsize=256)
def _compiled(template: str) -> Any:
    return _ENVIRONMENT.from_string(template)


def _problem(template: str, known: Collection[str]) -> str | None:
    try:
        parsed = _ENVIRONMENT.parse(template)
        if refused := _not_allowed(parsed, known):
            return refused
        # Only now: what is allowed takes little time and memory to compile.
        _compiled(template)
    except TemplateSyntaxError as error:
        return f"is not complete in line {error.lineno}: {error.message}"
    except (RecursionError, SyntaxError, ValueError):
        return "has too many ifs within each other, or too long a number"
    return None


def _not_allowed(parsed: nodes.Template, known: Collection[str]) -> str | None:
    for node in (parsed, *parsed.find_all(nodes.Node)):
        if not isinstance(node, _ALLOWED):
            return f"uses “{type(node).__name__.lower()}” in line {node.lineno}; only values and if are possible"
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            return f"uses the filter “{node.name}” in line {node.lineno}; there are {', '.join(FILTERS)}"
        if isinstance(node, nodes.Name) and node.name not in known:
            return _unknown(node.name, known)
    return None
