"""Archives as Parquet files: written and read a batch at a time, whatever their size."""

from collections.abc import Iterator
from datetime import date
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.errors import Invalid
from billing_core.metering import digests
from billing_core.metering.archives.moving import ArchiveFile, Content, events_of
from billing_core.metering.models import PLACES, Meter, MeterBucket, UsageEvent, UsageEventKey
from billing_core.metering.reading import digest

# Events that are held in memory at once, and a row group of the file.
BATCH: Final = 5_000
_EXACT: Final = pa.decimal128(18, PLACES)
_INSTANT: Final = pa.timestamp("us", tz="UTC")
_CONTENT: Final = ("id", "time", "meter", "user", "endpoint", "response_time", "quantity", "properties")
_SCHEMA: Final = pa.schema(
    [
        pa.field("organization_id", pa.string(), nullable=False),
        pa.field("customer_ref", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("time", _INSTANT, nullable=False),
        pa.field("meter", pa.string(), nullable=False),
        pa.field("bucket", pa.string()),
        pa.field("user", pa.string(), nullable=False),
        pa.field("endpoint", pa.string(), nullable=False),
        pa.field("response_time", _EXACT),
        pa.field("quantity", _EXACT, nullable=False),
        pa.field("properties", pa.string(), nullable=False),
        pa.field("received_at", _INSTANT, nullable=False),
        pa.field("late", pa.bool_(), nullable=False),
        pa.field("withdrawn_at", _INSTANT),
        pa.field("withdrawn_reason", pa.string()),
        pa.field("digest", pa.string(), nullable=False),
    ]
)


def write(session: Session, month: date, file: Path) -> None:
    """Every event of the UTC month that can be archived, in the order of customers and times."""
    rows = iter(session.execute(_events(month), execution_options={"yield_per": BATCH}))
    with parquet.ParquetWriter(file, _SCHEMA, compression="zstd") as writer:
        while batch := list(islice(rows, BATCH)):
            columns = zip(*batch, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=_SCHEMA))


def read(file: Path) -> Iterator[list[dict[str, Any]]]:
    """The events by the names of the schema, in batches; Invalid where the file is no archive."""
    try:
        # Read ahead, the whole file would be held in memory.
        with parquet.ParquetFile(file, pre_buffer=False) as opened:
            if opened.schema_arrow != _SCHEMA:
                raise Invalid(f"{file.name} is no archive of usage: it has other columns")
            for batch in opened.iter_batches(batch_size=BATCH):
                yield batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise Invalid(f"{file.name} cannot be read as an archive of usage: {error}") from None


def examined(file: Path, name: str) -> ArchiveFile:
    """What the file holds, read back from it; Invalid where an event is not the one that its digest was made of."""
    events, words = 0, [0] * digests.WORDS
    for batch in read(file):
        for event in batch:
            if content_digest(event) != event["digest"]:
                raise Invalid(f"{file.name} is damaged: event “{event['id']}” is not the one that was recorded")
            events += 1
            words = [total + word for total, word in zip(words, digests.words(event["digest"]), strict=True)]
    return ArchiveFile(name, sha256_of(file), file.stat().st_size, Content(events, digests.written(words)))


def sha256_of(file: Path) -> str:
    """In hexadecimal digits."""
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()


def content_digest(event: dict[str, Any]) -> str:
    """The digest of an event as the file has it."""
    return digest(*(event[name] for name in _CONTENT))


def _events(month: date) -> Any:
    """The columns of the schema."""
    same = (UsageEventKey.customer_id == UsageEvent.customer_id) & (UsageEventKey.event_id == UsageEvent.event_id)
    return (
        select(
            Customer.uuid,
            Customer.ref,
            UsageEvent.event_id,
            UsageEvent.occurred_at,
            Meter.code,
            MeterBucket.code,
            UsageEvent.user,
            UsageEvent.endpoint,
            UsageEvent.response_time,
            UsageEvent.quantity,
            UsageEvent.properties,
            UsageEvent.received_at,
            UsageEvent.late,
            UsageEventKey.withdrawn_at,
            UsageEventKey.withdrawn_reason,
            UsageEventKey.digest,
        )
        .join_from(UsageEvent, UsageEventKey, same)
        .join(Customer, Customer.id == UsageEvent.customer_id)
        .join(Meter, Meter.id == UsageEvent.meter_id)
        .outerjoin(MeterBucket, MeterBucket.id == UsageEvent.bucket_id)
        .where(*events_of(month))
        .order_by(UsageEvent.customer_id, UsageEvent.occurred_at, UsageEvent.event_id)
    )
