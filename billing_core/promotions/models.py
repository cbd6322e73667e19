"""Promo codes and their redemptions."""

import enum
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import Percent
from billing_core.plans.models import Plan

LONGEST_CODE = 64
# ``key`` of the longest code: one letter may become three when its case is folded.
_LONGEST_KEY = 3 * LONGEST_CODE


class PromoDuration(enum.StrEnum):
    """For how many billing periods with a price a code reduces it: the first, as many as it says, or all."""

    ONCE = "once"
    PERIODS = "periods"
    FOREVER = "forever"


class PromoCode(Base):
    """``percent`` of the price of ``plan_id``, or of every plan where that is empty, or ``amount_minor`` in minor units
    of ``currency``. ``key`` is the code without regard to case. Empty limits do not limit; ``valid_to`` is the last
    day, in the zone of the customer's business, on which it can be redeemed. Once somebody has
    redeemed it, what it promises never changes; it can be ended, at ``ended_at``, and who has redeemed it keeps it.
    ``import_id`` is the import that made it, if any.
    """

    __tablename__ = "promo_codes"
    __table_args__ = (
        CheckConstraint("(percent IS NULL) <> (amount_minor IS NULL)", name="percent_or_amount"),
        CheckConstraint("(currency IS NULL) = (amount_minor IS NULL)", name="currency_of_amount"),
        # Stored in ten-thousandths.
        CheckConstraint("percent > 0 AND percent <= 1000000", name="percent_in_range"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("(periods IS NOT NULL) = (duration = 'periods')", name="periods_of_duration"),
        CheckConstraint("periods > 0", name="periods_positive"),
        CheckConstraint('"limit" > 0', name="limit_positive"),
        CheckConstraint("limit_per_customer > 0", name="limit_per_customer_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(LONGEST_CODE))
    key: Mapped[str] = mapped_column(String(_LONGEST_KEY), unique=True)
    plan_id: Mapped[int | None] = mapped_column(ForeignKey(Plan.id, ondelete="RESTRICT"), index=True)
    percent: Mapped[Decimal | None] = mapped_column(Percent)
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    duration: Mapped[PromoDuration]
    periods: Mapped[int | None]
    limit: Mapped[int | None]
    limit_per_customer: Mapped[int | None]
    valid_to: Mapped[date | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    import_id: Mapped[int | None]


class PromoRedemption(Base):
    """A customer has redeemed the code for ``subject``, such as ``sub_…``. Once ``released_at``, since what it was for
    did not come about, it counts towards no limit and reduces nothing.
    """

    __tablename__ = "promo_redemptions"
    __table_args__ = (
        Index("ix_promo_redemptions_code_id", "code_id", "customer_id"),
        # Twice for the same subject would reduce its price twice.
        Index(
            "uq_promo_redemptions_subject",
            "code_id",
            "subject",
            unique=True,
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code_id: Mapped[int] = mapped_column(ForeignKey(PromoCode.id, ondelete="RESTRICT"))
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"), index=True)
    subject: Mapped[str] = mapped_column(String(64))
    redeemed_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
