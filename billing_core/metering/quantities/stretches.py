"""What is asked for, and what is found, of however many customers at once: tuples, which are made in no time."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple


class Stretch(NamedTuple):
    """Billing-zone days of one customer, both ends included."""

    customer_id: int
    first_day: date
    last_day: date


class Used(NamedTuple):
    """What was used of one bucket of a meter (``NO_BUCKET``: outside of all) in the stretch with this place, as the
    meter's aggregation has it.
    """

    place: int
    meter_id: int
    bucket_id: int
    quantity: Decimal
