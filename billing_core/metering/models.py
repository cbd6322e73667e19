"""What customers used: events, their identities, and the totals that are kept of them."""

import enum
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import BigId, Scaled
from billing_core.dates import Period

API_CALLS = "api_calls"
# Digits after the point of quantities and of response times in seconds.
PLACES = 6
Exact = Scaled(PLACES)


class Aggregation(enum.StrEnum):
    """What a meter makes of its events.

    ``count``: how many there are. ``sum``: the sum of their quantities. ``max``: the greatest quantity. ``unique``: how
    many different users, or values of a property, they name; each counts once a period, where it comes first.
    ``latest``: the quantity of the last one, also of one before the period. ``time_weighted_sum``: each quantity holds
    until the next event, and counts for as much of the period as it held; what it adds up to is rounded to the digits
    that quantities have.
    """

    COUNT = "count"
    SUM = "sum"
    MAX = "max"
    UNIQUE = "unique"
    LATEST = "latest"
    TIME_WEIGHTED_SUM = "time_weighted_sum"

    @property
    def stands(self) -> bool:
        """What it makes does not add up over days."""
        return self in (Aggregation.MAX, Aggregation.LATEST)

    @property
    def places(self) -> int:
        """How many decimals that has."""
        return 0 if self in (Aggregation.COUNT, Aggregation.UNIQUE) else PLACES


# Billed from the totals of days, which are sums; the others from the events themselves.
BY_DAYS = (Aggregation.COUNT, Aggregation.SUM)
FROM_EVENTS = tuple(one for one in Aggregation if one not in BY_DAYS)
# What was told last holds until the next event, also in the periods after its own.
HOLDS_ON = (Aggregation.LATEST, Aggregation.TIME_WEIGHTED_SUM)


class Meter(Base):
    """One thing that customers use, by the ``code`` that events name. ``unit`` says what is counted, such as "call";
    ``unique_of`` which property has the values that are counted once, empty: the user.
    """

    __tablename__ = "meters"
    __table_args__ = (CheckConstraint("unique_of = '' OR aggregation = 'unique'", name="unique_of_something"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    aggregation: Mapped[Aggregation]
    unique_of: Mapped[str] = mapped_column(String(100), default="")
    unit: Mapped[str] = mapped_column(String(64))


# The bucket of the events that fit into none of their meter's.
NO_BUCKET = 0


class MeterBucket(Base):
    """Some of a meter's events, with a price of their own: those whose properties have the values that ``filters``
    names. It is a JSON object with a list of values for each property. A retired one takes no further events.
    """

    __tablename__ = "meter_buckets"
    __table_args__ = (UniqueConstraint("meter_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    meter_id: Mapped[int] = mapped_column(ForeignKey(Meter.id, ondelete="RESTRICT"))
    code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    filters: Mapped[str] = mapped_column(Text)
    retired_at: Mapped[datetime | None]


class BucketChange(Base):
    """The buckets that a meter's events fall into since one was added, changed or retired: each one's ``id`` and
    ``filters``. A bill goes by those of its time, whatever becomes of them.
    """

    __tablename__ = "meter_bucket_changes"
    __table_args__ = (Index("ix_meter_bucket_changes_meter_id", "meter_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    meter_id: Mapped[int] = mapped_column(ForeignKey(Meter.id, ondelete="RESTRICT"))
    buckets: Mapped[list[dict[str, Any]]]


class UsageEventKey(Base):
    """An event's identity, for ever. ``digest`` is the SHA-256 of its id and content, in hexadecimal digits; ``batch``
    the random number of the batch that brought it. A withdrawn event counts nowhere. With an ``archive_id`` the event
    itself is in that archive.
    """

    __tablename__ = "usage_event_keys"
    __table_args__ = (
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_reason IS NULL)", name="withdrawn_with_reason"),
        # Withdrawn events are few, and every recount asks for them.
        Index(
            "ix_usage_event_keys_withdrawn",
            "customer_id",
            "event_id",
            sqlite_where=text("withdrawn_at IS NOT NULL"),
            postgresql_where=text("withdrawn_at IS NOT NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    batch: Mapped[int] = mapped_column(BigInteger)
    occurred_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_reason: Mapped[str | None] = mapped_column(String(500))
    archive_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("usage_archives.id", ondelete="RESTRICT"))


class UsageEvent(Base):
    """One use. ``bucket_id`` is ``NO_BUCKET`` where it fits into none of its meter's buckets. ``user`` and ``endpoint``
    are the customer's own names, empty where nobody told; ``response_time`` is in seconds, None where nobody told;
    ``properties`` a JSON object. A ``late`` one came after its period was billed. A ``raw`` one is of a meter that is
    billed from the events themselves, so that it is never archived.

    On PostgreSQL it is partitioned by month. It refers to nothing by foreign keys, which would lock the other tables
    whenever a month begins; ``verify`` proves that each event has its key.
    """

    __tablename__ = "usage_events"
    __table_args__ = (
        CheckConstraint("response_time >= 0", name="response_time_not_negative"),
        # SQLite takes an index with a condition only for queries that state it in the same words.
        Index(
            "ix_usage_events_late",
            "customer_id",
            "occurred_at",
            "event_id",
            sqlite_where=text("late = 1"),
            postgresql_where=text("late"),
        ),
        Index(
            "ix_usage_events_raw",
            "customer_id",
            "meter_id",
            "bucket_id",
            "occurred_at",
            "event_id",
            sqlite_where=text("raw = 1"),
            postgresql_where=text("raw"),
        ),
        {"postgresql_partition_by": "RANGE (occurred_at)"},
    )

    # In the order in which one customer's events are read.
    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    occurred_at: Mapped[datetime] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    meter_id: Mapped[int]
    bucket_id: Mapped[int]
    user: Mapped[str] = mapped_column(String(255))
    endpoint: Mapped[str] = mapped_column(String(500))
    response_time: Mapped[Decimal | None] = mapped_column(Exact)
    quantity: Mapped[Decimal] = mapped_column(Exact)
    properties: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]
    late: Mapped[bool]
    raw: Mapped[bool] = mapped_column(default=False, server_default=false())


class ZoneKind(enum.StrEnum):
    """Whose days: UTC's, or those of the customer's billing zone."""

    UTC = "utc"
    BILLING = "billing"


class UsageDay(Base):
    """What one user used of one meter's bucket on one day, kept as events come and go. Every column is a sum over the
    events that are here, where ``archive_id`` is 0, or over those that an archive has taken away, which never changes.

    The quantity is ``whole`` + ``millionths`` / 1,000,000: ten thousand of the largest quantities would not fit into
    one integer. ``response_time`` is the sum in seconds over the ``timed_calls`` that told one.
    """

    __tablename__ = "usage_days"
    __table_args__ = (CheckConstraint("calls > 0", name="with_calls"), {"sqlite_with_rowid": False})

    # In the order in which one customer's days are read.
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"), primary_key=True)
    zone_kind: Mapped[ZoneKind] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    meter_id: Mapped[int] = mapped_column(ForeignKey(Meter.id, ondelete="RESTRICT"), primary_key=True)
    bucket_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user: Mapped[str] = mapped_column(String(255), primary_key=True)
    archive_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, default=0)
    calls: Mapped[int] = mapped_column(BigInteger)
    whole: Mapped[int] = mapped_column(BigInteger)
    millionths: Mapped[int] = mapped_column(BigInteger)
    response_time: Mapped[Decimal] = mapped_column(Exact)
    timed_calls: Mapped[int] = mapped_column(BigInteger)


class UsageDigest(Base):
    """One UTC day's digest: the sums, over the ``events`` that count, of the first four 32-bit words of their digests.

    Sums, so that events can be added and taken away in any order.
    """

    __tablename__ = "usage_digests"
    __table_args__ = (CheckConstraint("events > 0", name="with_events"), {"sqlite_with_rowid": False})

    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    events: Mapped[int] = mapped_column(BigInteger)
    word_1: Mapped[int] = mapped_column(BigInteger)
    word_2: Mapped[int] = mapped_column(BigInteger)
    word_3: Mapped[int] = mapped_column(BigInteger)
    word_4: Mapped[int] = mapped_column(BigInteger)


class UsageUser(Base):
    """A user that a customer's events name, and when it was first seen, leaving withdrawn events out."""

    __tablename__ = "usage_users"
    __table_args__ = (
        Index("ix_usage_users_customer_id_first_seen_at", "customer_id", "first_seen_at"),
        {"sqlite_with_rowid": False},
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"), primary_key=True)
    user: Mapped[str] = mapped_column(String(255), primary_key=True)
    first_seen_at: Mapped[datetime]


class UsageArchive(Base):
    """Events of one UTC month, the one that begins on ``month``, that are not in ``usage_events``; their totals stay.

    They lie in the Parquet ``file`` of ``size`` bytes, whose SHA-256 is ``sha256``. Without a file these are totals
    that another system handed over, whose events were never here. ``totals`` is the digest of what stays of them.
    """

    __tablename__ = "usage_archives"
    __table_args__ = (
        CheckConstraint("(file IS NULL) = (sha256 IS NULL) AND (file IS NULL) = (size IS NULL)", name="file_whole"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    month: Mapped[date]
    file: Mapped[str | None] = mapped_column(String(200), unique=True)
    sha256: Mapped[str | None] = mapped_column(String(64))
    size: Mapped[int | None] = mapped_column(BigInteger)
    events: Mapped[int] = mapped_column(BigInteger)
    totals: Mapped[str] = mapped_column(String(64))
    archived_at: Mapped[datetime]


class UsageArchivedUser(Base):
    """A user of events that an archive has taken away, and when it was first seen in them."""

    __tablename__ = "usage_archived_users"
    __table_args__ = ({"sqlite_with_rowid": False},)

    archive_id: Mapped[int] = mapped_column(ForeignKey(UsageArchive.id, ondelete="RESTRICT"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"), primary_key=True)
    user: Mapped[str] = mapped_column(String(255), primary_key=True)
    first_seen_at: Mapped[datetime]


_STANDS = text("replaced_at IS NULL")


class UsagePeriod(Base):
    """A period of billing-zone days, both ends included, whose usage was billed: what comes for it later is late.

    ``invoice_id`` is None where there was nothing to bill. ``replaced_at``: its invoice was cancelled, and the days
    were billed anew; until then it stands. No two that stand share a day of one customer. ``cuts`` are the days, in ISO
    form, on which a further segment of it began. ``bucket_change_id``: the last ``BucketChange`` of any meter before
    it was billed, 0 where there was none; None: nobody knows.
    """

    __tablename__ = "usage_periods"
    __table_args__ = (
        Index(
            "ix_usage_periods_standing",
            "customer_id",
            "first_day",
            unique=True,
            sqlite_where=_STANDS,
            postgresql_where=_STANDS,
        ),
        Index("ix_usage_periods_invoice_id", "invoice_id"),
        CheckConstraint("first_day <= last_day", name="in_order"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    first_day: Mapped[date]
    last_day: Mapped[date]
    # By its name: invoices stand below this room.
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoices.id", ondelete="RESTRICT"))
    billed_at: Mapped[datetime]
    billed_by: Mapped[str] = mapped_column(String(200), default="")
    replaced_at: Mapped[datetime | None]
    cuts: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    bucket_change_id: Mapped[int | None]

    @property
    def segments(self) -> list[Period]:
        """The stretches of days by which it was billed, in order."""
        cuts = {date.fromisoformat(cut) for cut in self.cuts}
        begun = [self.first_day, *sorted(cut for cut in cuts if self.first_day < cut <= self.last_day)]
        ended = [*(day - timedelta(days=1) for day in begun[1:]), self.last_day]
        return list(map(Period, begun, ended))


class LateUsage(enum.StrEnum):
    """What happens to what changed a billed period: it goes onto the customer's next invoice of usage, onto a document
    of its own, or is waived.
    """

    NEXT_INVOICE = "next_invoice"
    OWN_DOCUMENT = "own_document"
    WAIVE = "waive"


class LateKind(enum.StrEnum):
    """How an event changed a period after it was billed."""

    ARRIVED = "arrived"
    WITHDRAWN = "withdrawn"


class LateItem(Base):
    """What an event changed in a billed period, for which it came or from which it was taken back; by ``id`` in the
    order in which they did. Of a meter whose quantities hold on, one event can change several periods, and several
    segments of one: it has an item for each.

    It has what it is priced by itself, so that it outlives an archived event: the billing-zone ``day``, on which it
    happened or on which the segment begins, and by how much it changed what was billed. Of meters that are billed by
    days these are its ``calls`` and ``quantity``, negative for an event that was withdrawn; of the others ``quantity``
    is the change of what the meter came to. ``wanted`` is what somebody has chosen for it, None as the business has it;
    ``settlement_id`` says what became of it.
    """

    __tablename__ = "usage_late_items"
    __table_args__ = (
        UniqueConstraint("customer_id", "event_id", "kind", "period_id", "day"),
        Index("ix_usage_late_items_period_id", "period_id", "meter_id", "id"),
        Index("ix_usage_late_items_settlement_id", "settlement_id"),
        Index("ix_usage_late_items_in_order", "customer_id", "occurred_at", "event_id"),
        CheckConstraint("(calls = 1) = (kind = 'arrived') AND abs(calls) = 1", name="signed"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    period_id: Mapped[int] = mapped_column(BigId, ForeignKey(UsagePeriod.id, ondelete="RESTRICT"))
    kind: Mapped[LateKind]
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    event_id: Mapped[str] = mapped_column(String(255))
    occurred_at: Mapped[datetime]
    day: Mapped[date]
    meter_id: Mapped[int] = mapped_column(ForeignKey(Meter.id, ondelete="RESTRICT"))
    bucket_id: Mapped[int]
    user: Mapped[str] = mapped_column(String(255))
    calls: Mapped[int]
    quantity: Mapped[Decimal] = mapped_column(Exact)
    noticed_at: Mapped[datetime]
    wanted: Mapped[LateUsage | None]
    # By its name: settlements stand below this room.
    settlement_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("usage_settlements.id", ondelete="RESTRICT"))
