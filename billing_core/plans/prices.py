"""The prices of usage that versions of plans have, besides that of a call."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, FromClause, Select, and_, func, insert, or_, select
from sqlalchemy.orm import Session, aliased

from billing_core.database.engine import Reads
from billing_core.database.functions import among
from billing_core.errors import Invalid
from billing_core.metering.models import API_CALLS, NO_BUCKET, Meter, MeterBucket
from billing_core.money import Money, decimal_places, scaled
from billing_core.plans import price_terms
from billing_core.plans.models import PlanPrice, PlanPriceTier, PlanVersion
from billing_core.plans.pricing import Price, Tier

MOST_PRICES = 1_000


@dataclass(frozen=True, slots=True, order=True)
class Metered:
    """What has a price: a meter's bucket, by their codes; ``bucket`` empty: the meter's events that fit none."""

    meter: str
    bucket: str = ""

    def __str__(self) -> str:
        return f"{self.meter}, bucket {self.bucket}" if self.bucket else self.meter


Prices = Mapping[Metered, Price]
# The ids of a meter and a bucket, NO_BUCKET for its other events.
Place = tuple[int, int]


def of_versions(
    session: Reads, version_ids: Collection[int], *, meter_id: int | None = None
) -> dict[int, dict[Place, Price]]:
    """The prices of each of these versions, in one statement; of this meter alone, if one is named."""
    chosen = among(PlanPrice.plan_version_id, version_ids)
    if meter_id is not None:
        chosen &= PlanPrice.meter_id == meter_id
    found: dict[int, dict[Place, Price]] = {version_id: {} for version_id in version_ids}
    for (version_id, meter_id, bucket_id), price in _read(session.execute(_OF_VERSIONS.where(chosen)), 3):
        found[version_id][meter_id, bucket_id] = price
    return found


def of_version(session: Session, version_id: int) -> dict[Metered, Price]:
    """The prices of a version by codes, in their order."""
    columns = (Meter.code, func.coalesce(MeterBucket.code, ""))
    statement = (
        _rows(*columns)
        .join(Meter, Meter.id == PlanPrice.meter_id)
        .outerjoin(MeterBucket, MeterBucket.id == PlanPrice.bucket_id)
        .where(PlanPrice.plan_version_id == version_id)
    )
    found = {Metered(*names): price for names, price in _read(session.execute(statement), len(columns))}
    return dict(sorted(found.items()))


def checked(session: Session, prices: Prices, currency: str) -> dict[Metered, tuple[int, int | None]]:
    """The ids of the meters and buckets that these prices are for; Invalid names what is at fault."""
    if len(prices) > MOST_PRICES:
        raise Invalid(f"A version may have at most {MOST_PRICES:,} prices", fields={"prices": f"are {len(prices):,}"})
    meters = dict(session.execute(select(Meter.code, Meter.id)).all())
    columns = (Meter.code, MeterBucket.code, MeterBucket.id)
    live = select(*columns).join(Meter, Meter.id == MeterBucket.meter_id).where(MeterBucket.retired_at.is_(None))
    buckets = {(meter, code): id_ for meter, code, id_ in session.execute(live)}
    ids: dict[Metered, tuple[int, int | None]] = {}
    for metered, price in prices.items():
        if metered.meter not in meters:
            raise _invalid(metered, "meter", "there is no such meter")
        if metered.bucket and (metered.meter, metered.bucket) not in buckets:
            raise _invalid(metered, "bucket", "the meter has no such bucket")
        if metered == Metered(API_CALLS):
            raise _invalid(metered, "meter", "what calls cost is the plan's own price per call")
        if price.currency != currency:
            raise _invalid(metered, "currency", f"the plan is in {currency}, its price cannot be in {price.currency}")
        try:
            price_terms.check(price)
        except Invalid as invalid:
            raise Invalid(f"{metered}: {invalid}", fields=invalid.fields) from None
        ids[metered] = meters[metered.meter], buckets.get((metered.meter, metered.bucket))
    return ids


def give(session: Session, version: PlanVersion, prices: Prices, ids: Mapping[Metered, tuple[int, int | None]]) -> None:
    """Give a new version its prices, which ``checked`` has found good."""
    made = [
        (
            PlanPrice(
                plan_version_id=version.id, meter_id=ids[metered][0], bucket_id=ids[metered][1], **_columns(price)
            ),
            price,
        )
        for metered, price in prices.items()
    ]
    session.add_all(stored for stored, _ in made)
    session.flush()
    session.add_all(
        PlanPriceTier(
            price_id=stored.id,
            position=position,
            up_to=tier.up_to,
            unit_price=tier.unit_price,
            flat_fee_minor=_minor(tier.flat_fee, price.currency),
        )
        for stored, price in made
        for position, tier in enumerate(price.tiers, start=1)
    )
    session.flush()


def carry_over(connection: Connection, renewed: FromClause) -> None:
    """Give new versions the prices of those that they follow: rows of (former_id, version_id)."""
    former, later = aliased(PlanPrice), aliased(PlanPrice)
    facts = ["meter_id", "bucket_id", "scheme", "per", "included", "minimum_minor"]
    same = select(renewed.c.version_id, *(getattr(former, name) for name in facts)).join(
        renewed, renewed.c.former_id == former.plan_version_id
    )
    connection.execute(insert(PlanPrice).from_select(["plan_version_id", *facts], same.order_by(former.id)))
    steps = ["position", "up_to", "unit_price", "flat_fee_minor"]
    same_bucket = or_(later.bucket_id == former.bucket_id, and_(later.bucket_id.is_(None), former.bucket_id.is_(None)))
    tiers = (
        select(later.id, *(getattr(PlanPriceTier, name) for name in steps))
        .join_from(renewed, former, former.plan_version_id == renewed.c.former_id)
        .join(
            later, (later.plan_version_id == renewed.c.version_id) & (later.meter_id == former.meter_id) & same_bucket
        )
        .join(PlanPriceTier, PlanPriceTier.price_id == former.id)
    )
    connection.execute(insert(PlanPriceTier).from_select(["price_id", *steps], tiers))


def written(prices: Prices) -> list[dict[str, Any]]:
    """As the audit log keeps them: numbers as texts, of tiers what they end at and what they cost."""
    return [
        {
            "meter": metered.meter,
            "bucket": metered.bucket,
            "scheme": price.scheme.value,
            "per": f"{price.per.normalize():f}",
            "included": f"{price.included.normalize():f}",
            "minimum": f"{price.minimum.normalize():f}",
            "tiers": [
                {
                    "up_to": None if tier.up_to is None else f"{tier.up_to.normalize():f}",
                    "unit_price": f"{tier.unit_price.normalize():f}",
                    "flat_fee": f"{tier.flat_fee.normalize():f}",
                }
                for tier in price.tiers
            ],
        }
        for metered, price in sorted(prices.items())
    ]


def _rows(*place: Any) -> Select[*tuple[Any, ...]]:
    """The columns of ``place``, then those of each tier with its price, the tiers of a price one after the other."""
    return (
        select(
            *place,
            PlanVersion.currency,
            PlanPrice.id,
            PlanPrice.scheme,
            PlanPrice.per,
            PlanPrice.included,
            PlanPrice.minimum_minor,
            PlanPriceTier.up_to,
            PlanPriceTier.unit_price,
            PlanPriceTier.flat_fee_minor,
        )
        .join_from(PlanPrice, PlanVersion, PlanVersion.id == PlanPrice.plan_version_id)
        .join(PlanPriceTier, PlanPriceTier.price_id == PlanPrice.id)
        .order_by(PlanPrice.plan_version_id, PlanPrice.id, PlanPriceTier.position)
    )


# Put together once, which takes longer than carrying it out.
_OF_VERSIONS = _rows(PlanPrice.plan_version_id, PlanPrice.meter_id, func.coalesce(PlanPrice.bucket_id, NO_BUCKET))


def _read(rows: Any, width: int) -> Iterator[tuple[tuple[Any, ...], Price]]:
    for _, of_price in groupby(rows, key=lambda row: row[width + 1]):
        tiers = list(of_price)
        currency, _, scheme, per, included, minimum_minor, *_ = tiers[0][width:]
        steps = (
            Tier(up_to, unit_price, Money(fee_minor, currency).amount) for *_, up_to, unit_price, fee_minor in tiers
        )
        minimum = Money(minimum_minor, currency).amount
        yield tuple(tiers[0][:width]), Price(currency, scheme, tuple(steps), per, included, minimum)


def _columns(price: Price) -> dict[str, Any]:
    return {
        "scheme": price.scheme,
        "per": price.per,
        "included": price.included,
        "minimum_minor": _minor(price.minimum, price.currency),
    }


def _minor(amount: Decimal, currency: str) -> int:
    return scaled(amount, decimal_places(currency))


def _invalid(metered: Metered, field: str, reason: str) -> Invalid:
    return Invalid(f"{metered}: {reason}", fields={field: reason})
