"""Customers from a file."""

from functools import partial
from typing import Any

from sqlalchemy import FromClause, Select, String, exists, func, literal, or_, select
from sqlalchemy.orm import aliased

from billing_core.customers.models import Customer, new_public_id, new_uuid
from billing_core.customers.same import email_key
from billing_core.database.types import UtcDateTime
from billing_core.imports import Kind, cells, columns
from billing_core.imports.kind import Definition, Derived, Field, Staged, code_up_to, text_up_to, wrong
from billing_core.imports.words import choices, readers
from billing_core.languages.available import SOURCE_LANGUAGE
from billing_core.plans.models import CustomerPlan
from billing_core.rating.models import Rate
from billing_core.reading_order import reading_order
from billing_core.recipients import LISTS, MOST
from billing_core.reports.models import BillingReport

_PLAIN = (
    *("name", "email", "phone", "address", "city", "state", "postal_code", "country", "tax_id"),
    *("zero_tax_reason", "payment_terms", "format_region", *LISTS),
)


def _resolve(staged: Staged) -> Select[Any]:
    """A blank currency or language keeps the customer's; a new customer's is the business's own, or English."""
    rows, setting = staged.table, staged.setting
    own = func.coalesce(Customer.currency, literal(setting.currency, String))
    currency = func.coalesce(rows.c.currency, own) if "currency" in staged.given else own
    spoken = func.coalesce(Customer.language, literal(SOURCE_LANGUAGE, String))
    language = func.coalesce(rows.c.language, spoken) if "language" in staged.given else spoken
    return select(
        rows.c.line,
        rows.c.customer_ref.label("ref"),
        *staged.columns(*_PLAIN),
        rows.c.ref_order,
        rows.c.name_order,
        *([rows.c.email_key] if "email" in staged.given else []),
        currency.label("currency"),
        language.label("language"),
        rows.c.public_id,
        rows.c.uuid,
        literal(setting.business_id).label("business_id"),
        literal(setting.now, UtcDateTime).label("created_at"),
    ).outerjoin_from(rows, Customer, Customer.ref == rows.c.customer_ref)


def _currency_in_use(rows: FromClause) -> Select[Any]:
    used = or_(*(exists().where(table.customer_id == Customer.id) for table in (Rate, BillingReport, CustomerPlan)))
    reason = "the customer is billed in " + Customer.currency + ", and has rates, reports or a plan in it"
    return (
        wrong(rows, "currency", rows.c.currency, reason)
        .join(Customer, Customer.id == rows.c.existing_id)
        .where(Customer.currency != rows.c.currency, used)
    )


def _merged(rows: FromClause) -> Select[Any]:
    into = aliased(Customer)
    reason = "is a customer that was merged into " + into.name + ", customer_ref " + into.ref
    statement = wrong(rows, "customer_ref", rows.c.ref, reason).join(Customer, Customer.id == rows.c.existing_id)
    return statement.join(into, into.id == Customer.merged_into_id)


DEFINITION = Definition(
    kind=Kind.CUSTOMERS,
    title="Customers",
    model=Customer,
    keys=("ref",),
    labels=("customer_ref",),
    fields=(
        Field(
            "customer_ref",
            code_up_to(64),
            required=True,
            filled=True,
            synonyms=("customer id", "customer", "customer number", "customer no", "customer code", "ref", "id"),
        ),
        Field(
            "name",
            text_up_to(200),
            required=True,
            filled=True,
            synonyms=("company name", "customer name", "company", "organization", "organisation", "firm"),
            parts=(
                ("first name", "middle name", "last name"),
                ("first name", "surname"),
                ("given name", "family name"),
                ("vorname", "nachname"),
                ("prenom", "nom"),
                ("nombre", "apellidos"),
            ),
        ),
        Field("email", cells.email, synonyms=("e-mail", "mail", "email address", "contact email", "billing email")),
        Field("phone", code_up_to(64), synonyms=("telephone", "phone number", "tel", "contact phone")),
        Field(
            "address",
            text_up_to(500),
            synonyms=("street", "street address", "address line 1", "address 1"),
            parts=(
                ("address", "address 2", "address 3"),
                ("address", "address line 2", "address line 3"),
                ("address 1", "address 2", "address 3"),
                ("address line 1", "address line 2", "address line 3"),
                ("street", "street 2"),
                ("street", "street number"),
                ("street", "house number"),
            ),
            joint=", ",
        ),
        Field("city", text_up_to(120), synonyms=("town", "locality")),
        Field("state", text_up_to(120), synonyms=("region", "province", "county", "state province")),
        Field(
            "postal_code",
            cells.postal_code,
            synonyms=("zip", "zip code", "postcode", "postal", "plz"),
            country="country",
        ),
        Field(
            "country",
            readers.country,
            synonyms=("country code", "country name", "land"),
            choices=choices.countries,
            listed=True,
        ),
        columns.CURRENCY,
        Field("tax_id", code_up_to(64), synonyms=("vat id", "vat number", "vat", "tax number", "ein", "ust id")),
        Field("zero_tax_reason", text_up_to(200), synonyms=("tax exemption reason", "vat exemption reason")),
        Field(
            "payment_terms",
            readers.payment_terms,
            synonyms=("terms", "terms of payment", "payment conditions", "zahlungsbedingungen", "zahlungsziel"),
        ),
        Field(
            "language",
            readers.language,
            blank=None,
            synonyms=("language code", "sprache", "langue", "idioma"),
            choices=choices.spoken,
        ),
        Field(
            "format_region", readers.format_region, synonyms=("number format", "date format"), choices=choices.countries
        ),
        Field("further_emails", partial(cells.emails, most=MOST - 1), synonyms=("further e-mails", "other emails")),
        Field("cc_emails", cells.emails, synonyms=("cc", "e-mail cc", "copy to")),
        Field("bcc_emails", cells.emails, synonyms=("bcc", "e-mail bcc", "blind copy to")),
    ),
    resolve=_resolve,
    merge_checks=(_currency_in_use, _merged),
    derived=(
        Derived("public_id", None, new_public_id),
        Derived("uuid", None, new_uuid),
        Derived("ref_order", "customer_ref", reading_order),
        Derived("name_order", "name", reading_order),
        Derived("email_key", "email", email_key),
    ),
    unshown=frozenset({"ref_order", "name_order", "email_key"}),
    insert_only=frozenset({"public_id", "uuid", "business_id", "created_at"}),
)
