"""What mails say unless a business has its own words: in English here, in other languages in their catalogues.

Each text is one message, so that a language may put its sentences in its own order, and is read as a template; see
``texts``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from billing_core.languages.formats import gettext_noop, writing
from billing_core.mailing.models import MailKind


@dataclass(frozen=True, slots=True)
class Wording:
    """The two templates of a mail."""

    subject: str
    body: str


def of(kind: MailKind, language: str) -> Wording:
    """Our own words; English where we do not write the language."""
    words, english = writing(language), _ENGLISH[kind]
    return Wording(words.gettext(english.subject), words.gettext(english.body))


_ENGLISH: Final[Mapping[MailKind, Wording]] = {
    MailKind.INVOICE: Wording(
        subject=gettext_noop("Invoice {{ number }} from {{ business_name }}"),
        body=gettext_noop("""\
Dear {{ customer_name }},

Please find attached our invoice {{ number }} of {{ issued_on }}{% if reference %} (your reference: \
{{ reference }}){% endif %}.

{% if settled %}
The invoice has been settled. No further payment is needed.
{% else %}
Amount due: {{ amount_due }}
Due date: {{ due_on }}
{% if early_payment %}
{{ early_payment }}
{% endif %}
{% endif %}

You can also view and download it here:
{{ link }}

{% if pay_link %}
You can pay it online here:
{{ pay_link }}
{% endif %}

If anything is unclear, simply reply to this e-mail.

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.REMINDER_BEFORE: Wording(
        subject=gettext_noop("Invoice {{ number }} is {% if overdue %}overdue{% else %}due on {{ due_on }}{% endif %}"),
        body=gettext_noop("""\
Dear {{ customer_name }},

{% if overdue %}
Our invoice {{ number }} of {{ issued_on }} is overdue: we ask for its payment now.
{% else %}
This is a short note that our invoice {{ number }} of {{ issued_on }} is due on {{ due_on }}.
{% endif %}

Amount due: {{ amount_due }}
{% if early_payment %}
{{ early_payment }}
{% endif %}

The invoice is attached, and you can view it here:
{{ link }}

{% if pay_link %}
You can pay it online here:
{{ pay_link }}
{% endif %}

If your payment is already on its way, there is nothing more to do. Thank you!

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.REMINDER_DUE: Wording(
        subject=gettext_noop("Invoice {{ number }} is due today"),
        body=gettext_noop("""\
Dear {{ customer_name }},

Our invoice {{ number }} of {{ issued_on }} is due today.

Amount due: {{ amount_due }}
{% if early_payment %}
{{ early_payment }}
{% endif %}

The invoice is attached, and you can view it here:
{{ link }}

{% if pay_link %}
You can pay it online here:
{{ pay_link }}
{% endif %}

If you have paid it already, please disregard this message. Thank you!

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.REMINDER_LATE: Wording(
        subject=gettext_noop("Reminder: invoice {{ number }} was due on {{ due_on }}"),
        body=gettext_noop("""\
Dear {{ customer_name }},

We have not yet received {% if part_paid %}the full payment{% else %}a payment{% endif %} for our invoice \
{{ number }} of {{ issued_on }}, which was due on {{ due_on }}, {{ days }} day{% if days != 1 %}s{% endif %} ago.

Amount due: {{ amount_due }}{% if part_paid %} of {{ total }}{% endif %}


The invoice is attached, and you can view it here:
{{ link }}

{% if pay_link %}
You can pay it online here:
{{ pay_link }}
{% endif %}

Please arrange the payment in the next few days. If it has crossed with this message, please accept our thanks; \
if there is a reason to hold it back, a short reply helps us both.

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.CREDIT_NOTE: Wording(
        subject=gettext_noop("Credit note {{ number }} for invoice {{ invoice_number }}"),
        body=gettext_noop("""\
Dear {{ customer_name }},

Please find attached our credit note {{ number }} of {{ issued_on }} for invoice {{ invoice_number }}.

Amount: {{ total }}
Reason: {{ reason }}

{% if refunded %}
We have refunded {{ refunded }} to you.
{% else %}
The amount is deducted from what is due on the invoice.
{% endif %}

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.STATEMENT: Wording(
        subject=gettext_noop("Your statement of account from {{ business_name }}"),
        body=gettext_noop("""\
Dear {{ customer_name }},

Please find attached your statement of account from {{ from_day }} to {{ to_day }}.

{% if in_credit %}
Balance in your favour on {{ to_day }}: {{ balance }}
{% else %}
Balance due on {{ to_day }}: {{ balance }}
{% endif %}

If it does not agree with your records, please reply to this e-mail, and we will look into it together.

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.USAGE_ALERT: Wording(
        subject=gettext_noop(
            "{{ customer_name }}: {{ threshold }}{% if of_allowance %} of the included API calls used"
            "{% elif in_calls %} API calls used{% else %} of usage{% endif %}"
        ),
        body=gettext_noop("""\
The usage of {{ customer_name }} from {{ from_day }} to {{ to_day }} has reached {{ threshold }}\
{% if of_allowance %} of the included API calls{% elif in_calls %} API calls{% endif %}.

API calls so far: {{ calls }}
{% if included_calls %}
Included: {{ included_calls }}
{% endif %}
{% if cost %}
Cost so far: {{ cost }}
{% endif %}

This message comes once a period.

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.TRIAL_ENDING: Wording(
        subject=gettext_noop("Your trial of {{ plan }} ends on {{ ends_on }}"),
        body=gettext_noop("""\
Dear {{ customer_name }},

Your trial of {{ plan }} ends on {{ ends_on }}.

{% if card %}
It then goes on by itself, and is charged to your card ({{ card }}).
{% elif goes_on %}
It then goes on by itself, and we will send you an invoice for it.
{% else %}
It goes on only if you give us a card by then.
{% endif %}

{% if card_link %}
You can give us a card here:
{{ card_link }}
{% endif %}

If you do not wish to go on, simply reply to this e-mail before that day.

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.CHARGE_FAILED: Wording(
        subject=gettext_noop(
            "{% if to_confirm %}Please confirm your payment of invoice {{ number }}"
            "{% else %}We could not charge invoice {{ number }} to your card{% endif %}"
        ),
        body=gettext_noop("""\
Dear {{ customer_name }},

{% if to_confirm %}
Your bank wants you to confirm the payment of our invoice {{ number }} of {{ issued_on }}: until then it is not paid.
{% else %}
We could not charge our invoice {{ number }} of {{ issued_on }} to your card ({{ card }}).
{% endif %}

Amount due: {{ amount_due }}

The invoice is attached, and you can view it here:
{{ link }}

{% if pay_link %}
You can pay it online here:
{{ pay_link }}
{% endif %}

{% if card_link %}
You can give us another card here, which is then charged:
{{ card_link }}
{% endif %}

{% if next_on %}
Otherwise we will try again on {{ next_on }}.
{% endif %}

If anything is unclear, simply reply to this e-mail.

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.CARD_EXPIRING: Wording(
        subject=gettext_noop("Your card {{ card }} expires on {{ expires_on }}"),
        body=gettext_noop("""\
Dear {{ customer_name }},

Your card {{ card }}, to which we charge {{ plan }}, expires on {{ expires_on }}.

Please give us another one by then, so that nothing is interrupted:
{{ card_link }}

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.CARD_REQUEST: Wording(
        subject=gettext_noop("Please give us {% if card %}another{% else %}a{% endif %} card for {{ plan }}"),
        body=gettext_noop("""\
Dear {{ customer_name }},

{% if card %}
The last day of your card {{ card }}, to which we charge {{ plan }}, is {{ expires_on }}.
{% else %}
We have no card to which we can charge {{ plan }}.
{% endif %}

You can give us {% if card %}another{% else %}one{% endif %} here, which is charged from then on:
{{ card_link }}

Only the payment service sees its number.

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.SUBSCRIPTION_ENDED: Wording(
        subject=gettext_noop("Your subscription to {{ plan }} has ended"),
        body=gettext_noop("""\
Dear {{ customer_name }},

Your subscription to {{ plan }} ended on {{ ended_on }}. No further period will be billed.

If this is not what you wanted, simply reply to this e-mail.

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.PLAN_MOVE: Wording(
        subject=gettext_noop("{{ plan }}: new terms from {{ starts_on }}"),
        body=gettext_noop("""\
Dear {{ customer_name }},

From {{ starts_on }}, with the billing period that begins then, your subscription to {{ plan }} goes on by new terms.

Price of that billing period by the terms so far: {{ old_price }}
Price of that billing period by the new terms: {{ new_price }}

These are full prices before tax: a discount that you have is still taken off.
{% if has_usage %}
From that day on, usage is charged by the new terms, too.
{% endif %}

There is nothing that you have to do. If you do not wish to go on by these terms, simply reply to this e-mail before \
that day.

Kind regards
{{ business_name }}
"""),
    ),
    MailKind.PLAN_MOVE_WITHDRAWN: Wording(
        subject=gettext_noop("{{ plan }}: no new terms from {{ starts_on }}"),
        body=gettext_noop("""\
Dear {{ customer_name }},

We had announced new terms for your subscription to {{ plan }} from {{ starts_on }}. They do not come.

Your subscription goes on by the terms so far: the billing period that begins then costs {{ old_price }}, before tax \
and discounts.

Kind regards
{{ business_name }}
"""),
    ),
}
