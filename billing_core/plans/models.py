"""Plans in versions with their prices, and which customer is on which version from which day. ``import_id`` is the
import that made a row, if any.
"""

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import Percent, Scaled, UsagePrice
from billing_core.metering.models import PLACES, Meter, MeterBucket
from billing_core.plans.pricing import Scheme

Units = Scaled(PLACES)


class PlanInterval(enum.StrEnum):
    """What a plan's periods are counted in; a version says how many of them make one."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class BillingTiming(enum.StrEnum):
    """Whether a period is billed as it begins or once it has ended."""

    ADVANCE = "advance"
    ARREARS = "arrears"


class TrialEnd(enum.StrEnum):
    """What becomes of a subscription whose trial ends without a payment method; ``invoice``: it goes on, and the first
    invoice is sent with a link where it can be paid.
    """

    CANCEL = "cancel"
    PAUSE = "pause"
    INVOICE = "invoice"


class Plan(Base):
    """What stays the same in all of its versions. ``code`` is the key by which imports know it."""

    __tablename__ = "plans"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    import_id: Mapped[int | None]


class PlanVersion(Base):
    """Terms that never change: other terms are the next ``number``. ``price_minor`` is due each period, which is
    ``interval_count`` times the ``interval``, in minor units of ``currency``. ``included_calls`` come with each period
    of usage, whatever the interval; one call beyond them costs ``price_per_call``, in major units.

    Each seat beyond ``included_seats`` costs ``seat_price_minor`` a period; None: nobody counts seats. A subscription
    ends after ``ends_after`` paid periods; None: it goes on.
    """

    __tablename__ = "plan_versions"
    __table_args__ = (
        UniqueConstraint("plan_id", "number"),
        CheckConstraint("price_minor >= 0", name="price_not_negative"),
        CheckConstraint("included_calls >= 0", name="included_not_negative"),
        CheckConstraint("price_per_call >= 0", name="price_per_call_not_negative"),
        CheckConstraint("interval_count > 0", name="interval_count_positive"),
        CheckConstraint("seat_price_minor >= 0", name="seat_price_not_negative"),
        CheckConstraint("included_seats >= 0", name="included_seats_not_negative"),
        CheckConstraint("ends_after > 0", name="ends_after_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey(Plan.id, ondelete="RESTRICT"))
    number: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    price_minor: Mapped[int] = mapped_column(BigInteger)
    interval: Mapped[PlanInterval]
    interval_count: Mapped[int] = mapped_column(default=1, server_default="1")
    timing: Mapped[BillingTiming] = mapped_column(
        default=BillingTiming.ADVANCE, server_default=BillingTiming.ADVANCE.value
    )
    included_calls: Mapped[int] = mapped_column(BigInteger)
    price_per_call: Mapped[Decimal] = mapped_column(UsagePrice)
    seat_price_minor: Mapped[int | None] = mapped_column(BigInteger)
    included_seats: Mapped[int] = mapped_column(default=0, server_default="0")
    trial_end: Mapped[TrialEnd] = mapped_column(default=TrialEnd.CANCEL, server_default=TrialEnd.CANCEL.value)
    ends_after: Mapped[int | None]
    created_at: Mapped[datetime]
    import_id: Mapped[int | None]


class PlanAmount(Base):
    """What a version costs in a further currency, in its minor units; the columns as in ``PlanVersion``."""

    __tablename__ = "plan_amounts"
    __table_args__ = (
        CheckConstraint("price_minor >= 0", name="price_not_negative"),
        CheckConstraint("seat_price_minor >= 0", name="seat_price_not_negative"),
    )

    plan_version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    price_minor: Mapped[int] = mapped_column(BigInteger)
    seat_price_minor: Mapped[int | None] = mapped_column(BigInteger)


class PlanAddOn(Base):
    """What can be had beside a version, such as a support contract, in any number."""

    __tablename__ = "plan_add_ons"
    __table_args__ = (UniqueConstraint("plan_version_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"))
    code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))


class PlanAddOnAmount(Base):
    """What one of an add-on costs a period, in minor units of a currency that its version has."""

    __tablename__ = "plan_add_on_amounts"
    __table_args__ = (CheckConstraint("price_minor >= 0", name="price_not_negative"),)

    add_on_id: Mapped[int] = mapped_column(ForeignKey(PlanAddOn.id, ondelete="RESTRICT"), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    price_minor: Mapped[int] = mapped_column(BigInteger)


class PlanPhase(Base):
    """Paid periods in a row, in the order of ``position``, from 1, in which ``percent`` of the version's price is due.
    After the last phase it is due in full.
    """

    __tablename__ = "plan_phases"
    __table_args__ = (
        CheckConstraint("periods > 0", name="periods_positive"),
        CheckConstraint("percent >= 0", name="percent_not_negative"),
    )

    plan_version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    periods: Mapped[int]
    percent: Mapped[Decimal] = mapped_column(Percent)


class PlanPrice(Base):
    """What a version charges for a meter, or for one of its buckets; without a bucket, for the events that fit none.

    ``per`` and ``included`` are units, ``minimum_minor`` minor units of the version's currency; ``pricing`` says what
    they mean. It never changes either.
    """

    __tablename__ = "plan_prices"
    __table_args__ = (
        UniqueConstraint("plan_version_id", "meter_id", "bucket_id"),
        # NULLs differ from each other in the constraint above.
        Index(
            "uq_plan_prices_without_bucket",
            "plan_version_id",
            "meter_id",
            unique=True,
            sqlite_where=text("bucket_id IS NULL"),
            postgresql_where=text("bucket_id IS NULL"),
        ),
        CheckConstraint("per > 0", name="per_positive"),
        CheckConstraint("included >= 0", name="included_not_negative"),
        CheckConstraint("minimum_minor >= 0", name="minimum_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"))
    meter_id: Mapped[int] = mapped_column(ForeignKey(Meter.id, ondelete="RESTRICT"))
    bucket_id: Mapped[int | None] = mapped_column(ForeignKey(MeterBucket.id, ondelete="RESTRICT"))
    scheme: Mapped[Scheme]
    per: Mapped[Decimal] = mapped_column(Units)
    included: Mapped[Decimal] = mapped_column(Units)
    minimum_minor: Mapped[int] = mapped_column(BigInteger)


class PlanPriceTier(Base):
    """A tier of a price, in the order of ``position``, from 1. ``flat_fee_minor`` is minor units of the version's
    currency.
    """

    __tablename__ = "plan_price_tiers"
    __table_args__ = (
        CheckConstraint("up_to > 0", name="up_to_positive"),
        CheckConstraint("unit_price >= 0", name="unit_price_not_negative"),
        CheckConstraint("flat_fee_minor >= 0", name="flat_fee_not_negative"),
    )

    price_id: Mapped[int] = mapped_column(ForeignKey(PlanPrice.id, ondelete="RESTRICT"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    up_to: Mapped[Decimal | None] = mapped_column(Units)
    unit_price: Mapped[Decimal] = mapped_column(UsagePrice)
    flat_fee_minor: Mapped[int] = mapped_column(BigInteger)


class CustomerPlan(Base):
    """From ``valid_from`` to the day before the customer's next row, the customer is on this version; on none where
    it is NULL. ``billed_with``: the subscription (``sub_…``) with whose invoices usage is billed; ``in_trial``: nothing
    that is used costs anything. ``replaced``: the ``version_id`` that people had put the customer on for the same day,
    which counts again where the subscription does not come about.
    """

    __tablename__ = "customer_plans"
    __table_args__ = (
        UniqueConstraint("customer_id", "valid_from"),
        CheckConstraint("billed_with IS NULL OR plan_version_id IS NOT NULL", name="billed_with_a_plan"),
        CheckConstraint("NOT in_trial OR billed_with IS NOT NULL", name="trial_of_a_subscription"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    plan_version_id: Mapped[int | None] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"), index=True)
    valid_from: Mapped[date]
    billed_with: Mapped[str | None] = mapped_column(String(40))
    in_trial: Mapped[bool] = mapped_column(default=False, server_default=false())
    replaced: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    import_id: Mapped[int | None]
