"""A gateway that does as it is told, and remembers what it was asked."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from billing_core.errors import UpstreamFailed
from billing_core.invoices.payment_links import CollectionWay, Mode
from billing_core.online_payments.gateway import (
    AttachedMethod,
    BalanceTransaction,
    Charge,
    Charged,
    ChargeOutcome,
    Connection,
    CreatedLink,
    Declined,
    GatewayCustomer,
    GatewayRefund,
    OffSessionCharge,
    PaymentDetails,
)

SUCCEEDED = Charged(ChargeOutcome.SUCCEEDED, fee_minor=59)


class ScriptedGateway:
    """``answers``: what comes of the next charges to cards on file, ``charged`` those there were, by their key.

    ``places`` are the links that there are, by the key of the request; ``meanwhile`` runs while it is asked.

    ``fails``: what it answers next, one after the other: "refuse" (nothing done), "lost" (done, but the answer never
    comes) or "down" (nothing done, and no answer).
    """

    def __init__(self, mode: Mode = Mode.TEST) -> None:
        self.mode = mode
        self.places: dict[str, tuple[Charge, CollectionWay]] = {}
        self.ended: list[str] = []
        self.refunds: dict[str, int] = {}
        self.charged: dict[str, tuple[OffSessionCharge, Charged]] = {}
        self.answers: list[Charged] = []
        self.detached: list[str] = []
        self.fails: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def create_link(self, charge: Charge, way: CollectionWay, *, key: str) -> CreatedLink:
        with_answer = self._begin()
        if (known := self.places.get(key)) is not None and known != (charge, way):
            raise AssertionError("the same key with other contents")
        self.places[key] = (charge, way)
        self._answer(with_answer)
        hosted = f"in_{key}" if way is CollectionWay.HOSTED_INVOICE else None
        return CreatedLink(f"https://pay.example/{key}", hosted or f"plink_{key}", hosted, "req_1")

    def deactivate(self, gateway_id: str, way: CollectionWay, *, key: str) -> None:
        self._answer(self._begin())
        assert gateway_id.partition("_")[2] in self.places
        self.ended.append(key)

    def attach(self, customer: GatewayCustomer, method_id: str, *, key: str) -> AttachedMethod:
        self._answer(self._begin())
        known = customer.gateway_id or f"cus_of_{customer.public_id}"
        return AttachedMethod(known, method_id, "visa", "4242", 12, 2029)

    def set_up(self, customer: GatewayCustomer, return_url: str, *, key: str) -> str:
        self._answer(self._begin())
        return f"https://pay.example/set-up/{key}"

    def detach(self, gateway_id: str, *, key: str) -> None:
        self._answer(self._begin())
        self.detached.append(gateway_id)

    def charge_off_session(self, charge: OffSessionCharge, *, key: str) -> Charged:
        with_answer = self._begin()
        if (known := self.charged.get(key)) is None:
            known = self.charged[key] = (charge, self.answers.pop(0) if self.answers else SUCCEEDED)
        if known[0] != charge:
            raise AssertionError("the same key with other contents")
        self._answer(with_answer)
        return replace(known[1], intent_id=f"pi_{key}", charge_id=f"ch_{key}")

    def refund(self, intent_id: str, amount_minor: int, currency: str, *, reason: str, key: str) -> GatewayRefund:
        with_answer = self._begin()
        self.refunds.setdefault(key, amount_minor)
        self._answer(with_answer)
        return GatewayRefund(f"re_{key}", intent_id, f"ch_{intent_id}", sum(self.refunds.values()), request_id="req_2")

    def details(self, gateway_key: str) -> PaymentDetails:
        return PaymentDetails(f"pi_of_{gateway_key}", f"ch_of_{gateway_key}", 59)

    def balance_transactions(self, start: datetime, end: datetime) -> Iterator[BalanceTransaction]:
        return iter(())

    def check(self) -> Connection:
        return Connection(self.mode, "acct_1", "Scripted")

    @property
    def payable(self) -> set[str]:
        """The keys of the links by which somebody could pay."""
        return set(self.places) - set(self.ended)

    def _begin(self) -> bool:
        self.meanwhile()
        match self.fails.pop(0) if self.fails else "":
            case "refuse":
                raise Declined("The account cannot take this currency")
            case "down":
                raise UpstreamFailed("The gateway cannot be reached")
            case "lost":
                return False
        return True

    def _answer(self, comes: bool) -> None:
        if not comes:
            raise UpstreamFailed("The gateway did not answer in time")
