"""What is asked for, and what is found, of however many customers at once."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Stretch:
    """Billing-zone days of one customer, both ends included."""

    customer_id: int
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class Used:
    """What was used of one bucket of a meter (``NO_BUCKET``: outside of all) in the stretch with this place, as the
    meter's aggregation has it.
    """

    place: int
    meter_id: int
    bucket_id: int
    quantity: Decimal
