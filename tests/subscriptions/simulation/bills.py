"""Invoices and what is given back of them, in plain decimals."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal(0)


def rounded(amount: Decimal, places: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


@dataclass(frozen=True)
class GivenBack:
    """``off_due`` was not paid yet; of what was paid, ``kept`` is the customer's credit and ``refunded`` went back."""

    day: date
    net: Decimal
    tax: Decimal
    off_due: Decimal = ZERO
    kept: Decimal = ZERO
    refunded: Decimal = ZERO


@dataclass
class Bill:
    """``amounts``: of each line that comes to something, before tax and after its discount. ``by_credit``: what the
    customer's credit paid of the total. ``final``: it came when all was over, when nobody's card is charged any more.
    """

    day: date
    amounts: tuple[Decimal, ...]
    tax: Decimal
    final: bool = False
    by_credit: Decimal = ZERO
    by_card: Decimal = ZERO
    failed: bool = False
    voided_on: date | None = None
    given_back: list[GivenBack] = field(default_factory=list)

    @property
    def net(self) -> Decimal:
        return sum(self.amounts, ZERO)

    @property
    def total(self) -> Decimal:
        return self.net + self.tax

    @property
    def due(self) -> Decimal:
        off = sum((one.off_due for one in self.given_back), ZERO)
        return ZERO if self.voided_on else self.total - self.by_credit - self.by_card - off

    @property
    def refundable(self) -> Decimal:
        """What the card paid and did not get back, of what was paid and is not given back."""
        refunded = sum((one.refunded for one in self.given_back), ZERO)
        kept = sum((one.kept for one in self.given_back), ZERO)
        return min(self.by_card, self.by_card + self.by_credit - kept) - refunded

    def tax_of(self, net: Decimal, places: int) -> Decimal:
        """The tax of then: of all that is given back its share, less that of what was given back before."""
        if not self.net:
            return ZERO
        before = sum((one.net for one in self.given_back), ZERO)
        taxed = sum((one.tax for one in self.given_back), ZERO)
        return rounded((before + net) * self.tax / self.net, places) - taxed

    def first_of(self, nets: Iterable[Decimal], gross: Decimal, places: int) -> tuple[Decimal, Decimal]:
        """So much of these amounts that are given back, each with its tax, one after the other: before tax, and the
        tax. Of the amount that it ends in, the same share of both.
        """
        sum_net = sum_tax = so_far = taxed = ZERO
        for net in nets:
            so_far += net
            tax = self.tax_of(so_far, places) - taxed
            taxed += tax
            taken = min(net + tax, gross - sum_net - sum_tax)
            taken_net = rounded(taken * net / (net + tax), places)
            sum_net, sum_tax = sum_net + taken_net, sum_tax + taken - taken_net
        return sum_net, sum_tax

    def split(self, gross: Decimal) -> tuple[Decimal, Decimal]:
        """How much of this is taken off what is due, and how much was paid."""
        return min(gross, self.due), gross - min(gross, self.due)


@dataclass
class Charge:
    """What a bill asks for days of the period with this number, both ends included. ``part``: such as the plan."""

    number: int
    part: tuple[str, str]
    net: Decimal
    first: date
    last: date
    bill: Bill
    done: bool = False

    def unused(self, first_unused: date, places: int) -> Decimal:
        left = (self.last - max(self.first, first_unused)).days + 1
        return rounded(self.net * left / ((self.last - self.first).days + 1), places)


def by_bill(credited: Iterable[tuple[Charge, Decimal]]) -> list[tuple[Bill, Decimal]]:
    """How much is credited of each bill, before tax."""
    found: list[tuple[Bill, Decimal]] = []
    for charge, net in credited:
        for place, (bill, before) in enumerate(found):
            if bill is charge.bill:
                found[place] = bill, before + net
                break
        else:
            found.append((charge.bill, net))
    return found
