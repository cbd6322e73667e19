"""What a charge is priced by, from which anybody can compute it again."""

import enum
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, Self

from billing_core.plans.pricing import Price, Priced, Scheme


class PartKind(enum.StrEnum):
    """``units`` at a price for ``per`` of them, whole ``packages`` of ``per`` units, a ``fee``, or the ``minimum`` that
    is owed because the others come to less. ``waived`` comes off them: it came late when the days were billed before.
    """

    UNITS = "units"
    PACKAGES = "packages"
    FEE = "fee"
    MINIMUM = "minimum"
    WAIVED = "waived"


class Part(NamedTuple):
    """So many at one price, in major units. ``share``: of a part of a period as much counts of it."""

    quantity: Decimal
    price: Decimal
    per: Decimal = Decimal(1)
    kind: PartKind = PartKind.UNITS
    share: Fraction = Fraction(1)

    def stored(self) -> dict[str, str]:
        """As ``read`` takes it; what is as usual is left out."""
        facts = {"quantity": f"{self.quantity:f}", "price": f"{self.price:f}"}
        if self.per != 1:
            facts["per"] = f"{self.per:f}"
        if self.kind is not PartKind.UNITS:
            facts["kind"] = self.kind.value
        if self.share != 1:
            facts["share"] = str(self.share)
        return facts

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        return cls(
            Decimal(facts["quantity"]),
            Decimal(facts["price"]),
            Decimal(facts.get("per", 1)),
            PartKind(facts.get("kind", PartKind.UNITS)),
            Fraction(facts.get("share", 1)),
        )


def parts_of(price: Price, found: Priced) -> Iterator[Part]:
    """What ``found`` by this price is priced by. ``minimum`` stands last: the others do not come to it."""
    once = Decimal(1)
    for part in found.parts:
        if part.quantity:
            packages = price.scheme is Scheme.PACKAGE
            counted = Decimal(int(part.times)) if packages else part.quantity
            kind = PartKind.PACKAGES if packages else PartKind.UNITS
            yield Part(counted, part.unit_price, price.per, kind, found.unit_share)
        if part.flat_fee:
            yield Part(once, part.flat_fee, once, PartKind.FEE, found.period_share)
    if found.true_up:
        yield Part(once, price.minimum, once, PartKind.MINIMUM, found.period_share)
