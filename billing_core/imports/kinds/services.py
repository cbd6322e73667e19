"""Services from a file."""

from typing import Any

from sqlalchemy import FromClause, Select, exists, select

from billing_core.imports import Kind
from billing_core.imports.kind import Definition, Field, Staged, code_up_to, text_up_to, wrong
from billing_core.imports.words import choices, readers
from billing_core.rating.models import Rate, Service


def _resolve(staged: Staged) -> Select[Any]:
    rows = staged.table
    return select(rows.c.line, rows.c.service_code.label("code"), rows.c.name, rows.c.cost_type)


def _cost_type_in_use(rows: FromClause) -> Select[Any]:
    """Another cost type would change the meaning of agreed prices."""
    reason = "the service is priced " + Service.cost_type + " in rate cards; enter a new service instead"
    return (
        wrong(rows, "cost_type", rows.c.cost_type, reason)
        .join(Service, Service.id == rows.c.existing_id)
        .where(Service.cost_type != rows.c.cost_type, exists().where(Rate.service_id == Service.id))
    )


DEFINITION = Definition(
    kind=Kind.SERVICES,
    title="Services",
    model=Service,
    keys=("code",),
    labels=("service_code",),
    fields=(
        Field(
            "service_code",
            code_up_to(64),
            required=True,
            filled=True,
            synonyms=("code", "service", "service id", "service number"),
        ),
        Field("name", text_up_to(200), required=True, filled=True, synonyms=("service name", "description", "title")),
        Field(
            "cost_type",
            readers.cost_type,
            required=True,
            filled=True,
            synonyms=("type", "charge type", "unit", "basis", "charged per"),
            choices=choices.cost_types,
            listed=True,
        ),
    ),
    resolve=_resolve,
    in_file_order=True,
    merge_checks=(_cost_type_in_use,),
)
