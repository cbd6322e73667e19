"""What the reports API takes: its parameters and its body, as strictly as its documents write them."""

from datetime import date
from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field, WithJsonSchema

from billing_core.errors import Invalid
from billing_core.reports.queries import ReportFilter
from billing_core.web.api.exact_json import Body, WholeNumber
from billing_core.web.requests.values import IN_DIGITS, day, day_or_instant, whole

# A program that knows of no pages gets what a company has in years; a row is a quarter of a kilobyte.
MOST_AT_ONCE = 1_000
# What the documents' lists show, in the words of both dialects.
SORTABLE = (
    "id",
    "customer_id",
    "customer",
    "customer_name",
    "start_date",
    "end_date",
    "created_at",
    "generated_at",
    "created_by",
    "total_amount",
    "order_count",
    "output_format",
)
_ORDERS = [sign + name for name in SORTABLE for sign in ("", "-")]
_LARGEST_ID = 2**31 - 1


def _customer_id(value: Any) -> int:
    number = whole(value)
    if 1 <= number <= _LARGEST_ID:
        return number
    raise ValueError(f"must lie between 1 and {_LARGEST_ID}")


_A_DAY = {"type": "string", "format": "date"}
_AN_INSTANT = {"type": "string", "format": "date-time"}
_AN_ID = {"type": "integer", "minimum": 1, "maximum": _LARGEST_ID}
Day = Annotated[date, BeforeValidator(day)]
# What may be absent from an address; null cannot be written there, and the description does not offer it.
MaybeDay = Annotated[date | None, BeforeValidator(day), WithJsonSchema(_A_DAY)]
MaybeMoment = Annotated[
    date | AwareDatetime | None, BeforeValidator(day_or_instant), WithJsonSchema({"anyOf": [_A_DAY, _AN_INSTANT]})
]
MaybeCustomer = Annotated[int | None, BeforeValidator(_customer_id), WithJsonSchema(_AN_ID)]
OnlyCustomer = Annotated[MaybeCustomer, Query(description="One customer, by its integer id", examples=[123])]
StartingAfterCustomer = Annotated[
    MaybeCustomer, Query(description="The `customer_id` of the last customer that the page before ended with")
]
StartingAfterReport = Annotated[
    str, Query(max_length=36, description="The `id` of the last report that the page before ended with")
]
Limit = Annotated[
    int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most; the `Link` header leads to the rest"), IN_DIGITS
]


def report_filter(
    customer_id: OnlyCustomer = None,
    start_date: Annotated[MaybeDay, Query(description="Periods that begin on this day or later")] = None,
    end_date: Annotated[MaybeDay, Query(description="Periods that end on this day or earlier")] = None,
    created_after: Annotated[
        MaybeMoment,
        Query(description="Made since then; a bare day counts from its beginning where the business is"),
    ] = None,
    created_before: Annotated[
        MaybeMoment, Query(description="Made until then; a bare day counts to its end where the business is")
    ] = None,
    order_by: Annotated[
        str, Query(description="A field, with `-` in front for descending", json_schema_extra={"enum": _ORDERS})
    ] = "-created_at",
) -> ReportFilter:
    """The documented filters. Versions that a newer report has replaced are not listed: they count nowhere."""
    if order_by not in _ORDERS:
        allowed = f"one of {', '.join(SORTABLE)}, with a leading - for descending"
        raise Invalid(f"Invalid order_by: {order_by}", fields={"order_by": allowed})
    return ReportFilter(
        customer_id=customer_id,
        start_date=start_date,
        end_date=end_date,
        created_after=created_after,
        created_before=created_before,
        order_by=order_by,
    )


class Generate(Body):
    """What ``POST …/generate/`` takes. An unknown customer or format is refused by the service, in its words."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "customer_id": 123,
                "start_date": "2023-01-01",
                "end_date": "2023-01-31",
                "output_format": "json",
            }
        }
    )

    customer_id: WholeNumber = Field(description="Whom to bill", examples=[123])
    start_date: Day = Field(description="The first day of the period", examples=["2023-01-01"])
    end_date: Day = Field(description="The last day of the period, included", examples=["2023-01-31"])
    output_format: str = Field(
        "json",
        description="In the plain dialect the form of the answer; `dict` is the same as `json`",
        max_length=20,
        json_schema_extra={"enum": ["json", "csv", "pdf", "dict", "xlsx"]},
    )
