"""Contracts of every kind, drawn at random, and what becomes of their cards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from tests.subscriptions.naive import Contract, Promo

D = Decimal
GOOD, FAILS, ASKS = "pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LAST = datetime(2028, 1, 1, tzinfo=UTC)
_ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Kiritimati",
    "Pacific/Honolulu",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
)
_INTERVALS = (("month", 1), ("month", 1), ("month", 2), ("quarter", 1), ("year", 1), ("week", 3), ("day", 45))


@dataclass(frozen=True)
class Signed:
    """A contract, with the card that it begins with, none where invoices are mailed, and those that follow on days."""

    contract: Contract
    card: str | None = GOOD
    cards: Sequence[tuple[datetime, str]] = ()

    @property
    def cards_hold(self) -> bool:
        """Whether every charge succeeds in the end. Once it is over nobody's card is charged any more, so that it tells
        what was paid whether a run came late.
        """
        ends = self.contract.ends_after or self.contract.cancelled_at
        return self.card is not None and not ends and all(card == GOOD for _, card in self.cards[-1:])


def drawn(count: int, seed: int) -> list[Signed]:
    return [_one(number, Random(f"{seed}-{number}")) for number in range(count)]


def _one(number: int, chance: Random) -> Signed:
    month, day = chance.randint(1, 6), chance.choice((1, 14, 29, 30, 31))
    while True:
        try:
            begun_at = datetime(2026, month, day, chance.randrange(24), chance.randrange(60), tzinfo=UTC)
            break
        except ValueError:
            month = chance.randint(1, 6)
    interval, length = _INTERVALS[number % len(_INTERVALS)]
    places = 0 if number % 11 == 5 else 2
    unit = D(1).scaleb(-places)
    has_usage = number % 4 == 2
    asked = begun_at + timedelta(days=chance.randint(40, 500))
    contract = Contract(
        begun_at,
        _ZONES[chance.randrange(len(_ZONES))],
        price=chance.choice((0, 999, 2999, 10_001)) * unit if number % 9 == 8 else chance.randint(500, 99_999) * unit,
        interval=interval,
        count=length,
        places=places,
        trial_days=chance.choice((0, 0, 7, 30, 31)),
        in_arrears=number % 4 == 3,
        **_seats(chance, unit),
        add_ons={"support": (chance.randint(1, 3), chance.randint(1, 5_000) * unit)} if number % 3 == 0 else {},
        phases=((1, D(50)), (2, D("33.333"))) if number % 6 == 5 else (),
        ends_after=chance.randint(2, 9) if number % 8 == 7 else None,
        promo=_promo(chance, unit) if number % 3 != 2 else None,
        tax_rate=chance.choice((D(0), D(19), D("7.7"), D(21))),
        included_calls=chance.randint(0, 10) if has_usage else 0,
        call_price=D("0.0137") if has_usage else D(0),
        calls=_calls(begun_at, chance) if has_usage else (),
        cancelled_at=asked if number % 7 == 6 else None,
        credit=chance.randint(1, 200_000) * unit if number % 10 == 2 else D(0),
    )
    return Signed(contract, *_cards(number, contract, chance))


def _seats(chance: Random, unit: Decimal) -> dict[str, object]:
    if chance.random() < 0.6:
        return {}
    return {"seats": chance.randint(1, 9), "included_seats": 2, "seat_price": chance.randint(1, 2_000) * unit}


def _promo(chance: Random, unit: Decimal) -> Promo:
    periods = chance.choice((1, 2, 5, None))
    if chance.random() < 0.5:
        return Promo(percent=chance.choice((D(100), D(50), D("12.5"), D("33.333"))), periods=periods)
    return Promo(amount=chance.randint(1, 60_000) * unit, periods=periods)


def _calls(begun_at: datetime, chance: Random) -> tuple[datetime, ...]:
    """Some in the trial too, and as many around midnight as at noon."""
    seconds = int((LAST - begun_at).total_seconds())
    return tuple(sorted(begun_at + timedelta(seconds=chance.randrange(1, seconds)) for _ in range(150)))


def _cards(number: int, contract: Contract, chance: Random) -> tuple[str | None, Sequence[tuple[datetime, str]]]:
    """Every sixth card fails for four months, another one from some day on; every twelfth customer has none."""
    bad_from = contract.begun_at + timedelta(days=chance.randint(60, 300))
    bad = FAILS if chance.random() < 0.5 else ASKS
    if number % 6 == 4:
        return GOOD, ((bad_from, bad), (bad_from + timedelta(days=120), GOOD))
    if number % 12 == 5:
        return GOOD, ((bad_from, bad),)
    if number % 12 == 11 and not contract.trial_days:
        return None, ()
    return GOOD, ()
