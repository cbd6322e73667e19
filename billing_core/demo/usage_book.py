"""What the demo company's customers call of its API: drawn with a seed, busy on weekdays and by day, and growing."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise

from billing_core.dates import Period, add_months
from billing_core.demo.definitions import Definitions, OrganizationDefinition

_DAY = timedelta(days=1)
# Of the usual response time, in percent.
_FASTEST, _SLOWEST = 60, 190


@dataclass(frozen=True, slots=True)
class UserDay:
    """What one program of an organization called on a UTC day."""

    ref: str
    day: date
    user: str
    calls: int


@dataclass(frozen=True, slots=True)
class Call:
    """``response_time`` in milliseconds."""

    ref: str
    id: str
    at: datetime
    user: str
    endpoint: str
    response_time: int


def draw(made_of: Definitions, seed: int, *, days: Period, first_month: date, calls: int) -> list[UserDay]:
    """``calls`` in all, in the order of their days. Customers and users join so many months after the first one."""
    chance = random.Random(f"{seed} usage")  # noqa: S311 - believable, not secret
    rhythm, organizations = made_of.rhythm, made_of.usage.organizations
    places, weights = [], []
    for number in range(days.days):
        day = days.start + number * _DAY
        grown = 100 * days.days + rhythm.growth_percent * number
        busy = rhythm.weekdays[day.weekday()] * grown
        for organization in organizations:
            places.append((organization, day))
            weights.append(busy * organization.share * chance.randrange(85, 116))
    found = []
    for (organization, day), number in zip(places, _shared_out(calls, weights), strict=True):
        users = [user for user in organization.users if add_months(first_month, user.joins) <= day]
        of_users = _shared_out(number, [user.share * chance.randrange(80, 121) for user in users])
        found += [
            UserDay(organization.ref, day, user.name, part) for user, part in zip(users, of_users, strict=True) if part
        ]
    return found


def each_call(made_of: Definitions, seed: int, used: Sequence[UserDay]) -> list[Call]:
    """The calls that one organization's day is made of, in the order of their times."""
    ref, day = used[0].ref, used[0].day
    chance = random.Random(f"{seed} {ref} {day}")  # noqa: S311
    users = [one.user for one in used for _ in range(one.calls)]
    hours = chance.choices(range(24), made_of.usage.hours, k=len(users))
    endpoints = chance.choices(made_of.usage.endpoints, [each.share for each in made_of.usage.endpoints], k=len(users))
    milliseconds = sorted(int((hour + chance.random()) * 3_600_000) for hour in hours)
    chance.shuffle(users)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return [
        Call(
            ref,
            f"{ref}-{day:%Y%m%d}-{number:05d}",
            midnight + timedelta(milliseconds=moment),
            user,
            endpoint.path,
            endpoint.milliseconds * int(_FASTEST + chance.random() * (_SLOWEST - _FASTEST)) // 100,
        )
        for number, (user, endpoint, moment) in enumerate(zip(users, endpoints, milliseconds, strict=True), start=1)
    ]


def average_milliseconds(made_of: Definitions) -> int:
    """What the calls of ``each_call`` take on average."""
    endpoints = made_of.usage.endpoints
    shares = sum(endpoint.share for endpoint in endpoints)
    usual = sum(endpoint.share * endpoint.milliseconds for endpoint in endpoints) // shares
    return usual * (_FASTEST + _SLOWEST) // 200


def within_hours(made_of: Definitions, calls: int, hours: range) -> int:
    """How many of a UTC day's calls come in these hours of it."""
    weights = made_of.usage.hours
    return calls * sum(weights[hour] for hour in hours) // sum(weights)


def organization(made_of: Definitions, ref: str) -> OrganizationDefinition:
    return next(each for each in made_of.usage.organizations if each.ref == ref)


def _shared_out(total: int, weights: Sequence[int]) -> Iterator[int]:
    """The total in whole parts by these weights, which come to it exactly."""
    sums = list(accumulate(weights, initial=0))
    for before, until in pairwise(sums):
        yield total * until // sums[-1] - total * before // sums[-1]
