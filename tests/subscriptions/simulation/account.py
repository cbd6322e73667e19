"""What a customer was billed, has paid, and got back, a second time."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal

from tests.subscriptions.simulation.bills import ZERO, Bill, Charge, GivenBack, by_bill, rounded
from tests.subscriptions.simulation.contracts import GOOD, Contract
from tests.subscriptions.simulation.costs import USAGE, Item


class Declined(Exception):
    """The card does not pay for it."""


class Account:
    """``credit`` is what the customer has of it by now."""

    def __init__(self, contract: Contract) -> None:
        self.card, self.credit = contract.card, contract.credit
        self.bills: list[Bill] = []
        self._charges: list[Charge] = []
        self._tax_rate, self._places = contract.tax_rate, contract.places

    def settle(
        self,
        number: int,
        day: date,
        items: Iterable[Item],
        credited: Sequence[tuple[Charge, Decimal]] = (),
        *,
        final: bool = False,
        may_decline: bool = False,
    ) -> None:
        (
            """Give back, and bill for the period with this number. ``may_decline``: neither, where the card does
        not pay.
        """
            ""
        )
        priced = [item for item in items if item.gross]
        net = sum((item.net for item in priced), ZERO)
        tax = rounded(net * self._tax_rate / 100, self._places)
        if may_decline and net + tax > self.credit + self._kept(credited) and self.card not in (None, GOOD):
            raise Declined
        self.give_back(day, credited)
        if not priced:
            return
        bill = Bill(day, tuple(sorted(item.net for item in priced if item.net)), tax, final)
        self.bills.append(bill)
        self._charges += [
            Charge(number, item.part, item.net, item.first, item.last, bill)
            for item in priced
            if item.net and item.part[0] != USAGE
        ]
        self._collect(bill)

    def _kept(self, credited: Iterable[tuple[Charge, Decimal]]) -> Decimal:
        """How much of it becomes credit."""
        given = [(bill, net + bill.tax_of(net, self._places)) for bill, net in by_bill(credited)]
        return sum((bill.split(gross)[1] for bill, gross in given), ZERO)

    def _collect(self, bill: Bill) -> None:
        """Credit pays first, then the card. Once it is over, and without a card, the customer is asked for the rest."""
        bill.by_credit = min(self.credit, bill.due)
        self.credit -= bill.by_credit
        if bill.due and self.card is not None and not bill.final:
            self._charge(bill)

    def _charge(self, bill: Bill) -> None:
        if self.card == GOOD:
            bill.by_card += bill.due
        else:
            bill.failed = True

    def replace(self, card: str) -> None:
        """With another card, which is tried at once for what the one before did not pay."""
        self.card = card
        for bill in self.bills:
            if bill.failed and bill.due:
                self._charge(bill)

    def unused(
        self, number: int | None, first_unused: date, kept: Collection[tuple[str, str]] = ()
    ) -> list[tuple[Charge, Decimal]]:
        """Of what was charged for days of this period from one on, but for the parts that are ``kept``. What was given
        back once is given back to its end.
        """
        found = []
        for charge in self._charges:
            of_period = charge.number == number and charge.last >= first_unused
            if of_period and not charge.done and charge.part not in kept and not charge.bill.voided_on:
                net = charge.unused(first_unused, self._places)
                if net:
                    found.append((charge, net))
        return found

    def give_back(self, day: date, credited: Sequence[tuple[Charge, Decimal]], refunded_on: date | None = None) -> None:
        """``refunded_on``: to the card on this day, as much as it has paid of that bill."""
        for bill, net in by_bill(credited):
            tax = bill.tax_of(net, self._places)
            off_due, paid = bill.split(net + tax)
            to_card = min(paid, bill.refundable) if refunded_on is not None else ZERO
            card_net, card_tax = bill.first_of(
                [one for charge, one in credited if charge.bill is bill], to_card, self._places
            )
            if refunded_on is not None and to_card:
                back = GivenBack(max(refunded_on, bill.day), card_net, card_tax, refunded=to_card)
                bill.given_back.append(back)
            if net + tax > to_card:
                rest = GivenBack(max(day, bill.day), net - card_net, tax - card_tax, off_due, kept=paid - to_card)
                bill.given_back.append(rest)
                self.credit += rest.kept
        for charge, _ in credited:
            charge.done = True

    def void(self, day: date) -> None:
        """What is not paid need not be paid any more."""
        for bill in self.bills:
            if bill.due:
                assert bill.due == bill.total, "none is drawn that was paid in part"
                bill.voided_on = max(day, bill.day)
