"""What a version of a plan has beside its own columns: further currencies, add-ons and phases."""

from decimal import Decimal

from sqlalchemy import Connection, FromClause, Integer, bindparam, insert, select
from sqlalchemy.orm import Session, aliased

from billing_core.errors import NotFound
from billing_core.money import Money
from billing_core.plans.models import PlanAddOn, PlanAddOnAmount, PlanAmount, PlanPhase, PlanVersion
from billing_core.plans.terms import AddOn, Amounts, Phase, Terms, amount


def give(session: Session, version: PlanVersion, agreed: Terms) -> None:
    """Give a new version those of terms that are checked."""
    add_ons = [(PlanAddOn(plan_version_id=version.id, code=one.code, name=one.name), one) for one in agreed.add_ons]
    session.add_all(stored for stored, _ in add_ons)
    session.flush()
    session.add_all(
        PlanAddOnAmount(add_on_id=stored.id, currency=currency, price_minor=amount(price, "price", currency))
        for stored, add_on in add_ons
        for currency, price in add_on.prices.items()
    )
    session.add_all(
        PlanAmount(
            plan_version_id=version.id,
            currency=currency,
            price_minor=amount(amounts.price, "price", currency),
            seat_price_minor=None if amounts.seat_price is None else amount(amounts.seat_price, "seat_price", currency),
        )
        for currency, amounts in agreed.further.items()
    )
    session.add_all(
        PlanPhase(plan_version_id=version.id, position=position, periods=phase.periods, percent=phase.percent)
        for position, phase in enumerate(agreed.phases, start=1)
    )
    session.flush()


def terms_of(session: Session, version_id: int) -> Terms:
    """All that was agreed, as a person would give it; NotFound."""
    version = session.get(PlanVersion, version_id)
    if version is None:
        raise NotFound(f"There is no version {version_id} of a plan")
    return Terms(
        version.currency,
        Money(version.price_minor, version.currency).amount,
        version.included_calls,
        version.price_per_call,
        version.interval,
        version.interval_count,
        version.timing,
        _major(version.seat_price_minor, version.currency),
        version.included_seats,
        version.trial_end,
        version.ends_after,
        _further(session, version_id),
        _add_ons(session, version_id),
        phases(session, version_id),
    )


def phases(session: Session, version_id: int) -> tuple[Phase, ...]:
    """In their order."""
    return tuple(Phase(*row) for row in session.execute(_PHASES, {"version_id": version_id}))


# Put together once, which takes longer than carrying it out.
_PHASES = (
    select(PlanPhase.periods, PlanPhase.percent)
    .where(PlanPhase.plan_version_id == bindparam("version_id", type_=Integer))
    .order_by(PlanPhase.position)
)


def carry_over(connection: Connection, renewed: FromClause) -> None:
    """Give new versions those of the ones that they follow: rows of (former_id, version_id)."""
    _copy(connection, renewed, PlanAmount, ["currency", "price_minor", "seat_price_minor"])
    _copy(connection, renewed, PlanPhase, ["position", "periods", "percent"])
    _copy(connection, renewed, PlanAddOn, ["code", "name"])
    former, later = aliased(PlanAddOn), aliased(PlanAddOn)
    prices = (
        select(later.id, PlanAddOnAmount.currency, PlanAddOnAmount.price_minor)
        .join_from(renewed, former, former.plan_version_id == renewed.c.former_id)
        .join(later, (later.plan_version_id == renewed.c.version_id) & (later.code == former.code))
        .join(PlanAddOnAmount, PlanAddOnAmount.add_on_id == former.id)
    )
    connection.execute(insert(PlanAddOnAmount).from_select(["add_on_id", "currency", "price_minor"], prices))


def _copy(
    connection: Connection,
    renewed: FromClause,
    table: type[PlanAmount | PlanPhase | PlanAddOn],
    facts: list[str],
) -> None:
    same = select(renewed.c.version_id, *(getattr(table, name) for name in facts)).join_from(
        renewed, table, table.plan_version_id == renewed.c.former_id
    )
    in_order = same.order_by(*table.__table__.primary_key)
    connection.execute(insert(table).from_select(["plan_version_id", *facts], in_order))


def _further(session: Session, version_id: int) -> dict[str, Amounts]:
    of_version = select(PlanAmount).where(PlanAmount.plan_version_id == version_id).order_by(PlanAmount.currency)
    return {
        one.currency: Amounts(Money(one.price_minor, one.currency).amount, _major(one.seat_price_minor, one.currency))
        for one in session.scalars(of_version)
    }


def _add_ons(session: Session, version_id: int) -> tuple[AddOn, ...]:
    statement = (
        select(PlanAddOn.code, PlanAddOn.name, PlanAddOnAmount.currency, PlanAddOnAmount.price_minor)
        .join(PlanAddOnAmount, PlanAddOnAmount.add_on_id == PlanAddOn.id)
        .where(PlanAddOn.plan_version_id == version_id)
        .order_by(PlanAddOn.id, PlanAddOnAmount.currency)
    )
    found: dict[tuple[str, str], dict[str, Decimal]] = {}
    for code, name, currency, price_minor in session.execute(statement):
        found.setdefault((code, name), {})[currency] = Money(price_minor, currency).amount
    return tuple(AddOn(code, name, prices) for (code, name), prices in found.items())


def _major(minor: int | None, currency: str) -> Decimal | None:
    return None if minor is None else Money(minor, currency).amount
