"""Usage from files: the same rules as for events that programs send, whole or not at all, each event once."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import insert, select

from billing_core.audit.models import AuditEntry
from billing_core.database.types import stored_on_sqlite
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import service
from billing_core.metering import ingestion, keeping, queries, verification, withdrawal
from billing_core.metering.late import listing
from billing_core.metering.models import UsageEvent, UsageEventKey, UsagePeriod
from tests.imports.files import counts, incoming, rejections, row_count

HEADER = "event_id,customer_ref,time,meter,user,endpoint,response_time,quantity\n"
FILE = (
    HEADER
    + "1,ACME,2026-03-10T10:00:00Z,api_calls,ana,/v1/search,0.42,2.5\n"
    + "2,ACME,2026-03-10T23:30:00-02:00,,ben,,,\n"
    + "1,BETA,2026-03-11 10:00:00,,,,,\n"
)
AS_PROGRAMS_SEND_IT = [
    {
        "id": "1",
        "customer_ref": "ACME",
        "time": "2026-03-10T10:00:00Z",
        "user": "ana",
        "endpoint": "/v1/search",
        "response_time": Decimal("0.420000"),
        "quantity": Decimal("2.5"),
    },
    {"id": "2", "customer_ref": "ACME", "time": "2026-03-11T01:30:00Z", "user": "ben", "properties": {}},
    {"id": "1", "customer_ref": "BETA", "time": "2026-03-11T10:00:00Z"},
]


def used(sessions, customer_id):
    with sessions() as session:
        start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
        return queries.usage_of(session, SYSTEM, customer_id, start=start, end=end)


def proven(sessions):
    with sessions() as session:
        assert [wrong for check in verification.checks(session) for wrong in check.wrong] == []


def recorded(sessions, *events):
    with sessions.begin() as session:
        return ingestion.record(session, SYSTEM, events, now=utc_now())


def test_events_come_in_and_are_counted(two_customers, take_in, sessions):
    assert counts(take_in("usage", FILE)) == (3, 0, 0, 0)
    assert used(sessions, 1) == queries.Usage(2, 2, 2, Decimal("3.5"), Decimal("0.42"), 1)
    assert used(sessions, 2) == queries.Usage(0, 0, 1, Decimal(1), Decimal(0), 0)
    with sessions() as session:
        first, second, _ = session.scalars(select(UsageEvent).order_by(UsageEvent.customer_id, UsageEvent.event_id))
        assert (first.occurred_at, first.user, first.endpoint) == (
            datetime(2026, 3, 10, 10, tzinfo=UTC),
            "ana",
            "/v1/search",
        )
        assert (first.response_time, first.quantity) == (Decimal("0.42"), Decimal("2.5"))
        assert (second.occurred_at, second.response_time) == (datetime(2026, 3, 11, 1, 30, tzinfo=UTC), None)
        assert (second.properties, second.late) == ("{}", False)
        keys = session.scalars(select(UsageEventKey.batch).distinct()).all()
    assert len(keys) == 1
    proven(sessions)


def test_the_same_file_again_changes_nothing(two_customers, take_in, sessions):
    take_in("usage", FILE)
    before = row_count(sessions, AuditEntry), used(sessions, 1)
    assert counts(take_in("usage", FILE)) == (0, 0, 3, 0)
    assert (row_count(sessions, AuditEntry), used(sessions, 1)) == before
    assert counts(take_in("usage", FILE + "3,BETA,2026-03-12T00:00:00Z,,,,,\n")) == (1, 0, 3, 0)
    assert used(sessions, 2).calls == 2
    proven(sessions)


def test_ids_that_no_address_can_name_are_refused_unless_they_were_taken_before(
    two_customers, take_in, sessions, monkeypatch
):
    with monkeypatch.context() as before:
        before.setattr(ingestion, "UNADDRESSABLE", frozenset())
        recorded(sessions, {"id": "..", "customer_ref": "ACME", "time": "2026-03-10T10:00:00Z"})
    dots = "..,ACME,2026-03-10T10:00:00Z,,,,,\n"
    assert counts(take_in("usage", HEADER + dots)) == (0, 0, 1, 0)
    rejected = take_in("usage", HEADER + dots + dots.replace("ACME", "BETA") + dots.replace("..", ".", 1))
    reason = "must be more than one or two dots, which no address can name"
    assert rejections(rejected) == [(3, "event_id", "..", reason), (4, "event_id", ".", reason)]
    assert used(sessions, 1).calls == 1


def test_an_event_is_the_same_from_a_file_and_from_a_program(two_customers, take_in, sessions):
    take_in("usage", FILE)
    assert recorded(sessions, *AS_PROGRAMS_SEND_IT) == ingestion.Recorded(0, 3, 0, ())
    with sessions.begin() as session:
        withdrawal.withdraw(session, SYSTEM, 1, "2", reason="Twice", now=utc_now())
    # What was withdrawn stays so.
    assert counts(take_in("usage", FILE)) == (0, 0, 3, 0)
    assert used(sessions, 1).calls == 1


def test_a_program_s_event_is_known_to_a_file(two_customers, take_in, sessions):
    recorded(sessions, *AS_PROGRAMS_SEND_IT)
    assert counts(take_in("usage", FILE)) == (0, 0, 3, 0)


@pytest.mark.parametrize("space", [" ", "  ", "\t", "\u00a0", "\u2003"])
def test_outer_spaces_make_no_other_event(space, two_customers, take_in, sessions):
    def around(name):
        return f"{space}{name}{space}"

    cells = map(around, ("1", "ACME", "2026-03-10T10:00:00Z", "api_calls", "ana", "/v1/search"))
    assert counts(take_in("usage", f"{HEADER}{','.join(cells)},0.42,2.5\n")) == (1, 0, 0, 0)
    event = AS_PROGRAMS_SEND_IT[0]
    spaced = {name: around(event[name]) for name in ("id", "customer_ref", "user", "endpoint")}
    for same in (event, event | spaced, event | spaced | {"meter": around("api_calls")}):
        assert recorded(sessions, same) == ingestion.Recorded(0, 1, 0, ())
    with sessions.begin() as session:
        withdrawal.withdraw(session, SYSTEM, 1, around("1"), reason="Twice", now=utc_now())
    assert used(sessions, 1).calls == 0


def test_only_the_first_three_columns_are_needed(two_customers, take_in, sessions):
    file = "event_id,customer_ref,time\n1,BETA,2026-03-11T10:00:00Z\n"
    assert counts(take_in("usage", file)) == (1, 0, 0, 0)
    assert counts(take_in("usage", HEADER + FILE.splitlines()[3] + "\n")) == (0, 0, 1, 0)
    proven(sessions)


def test_a_repeated_row_counts_once_and_other_content_is_refused(two_customers, take_in, sessions):
    row = "9,ACME,2026-03-10T10:00:00Z,,ana,,,1\n"
    assert counts(take_in("usage", HEADER + row + row)) == (1, 0, 1, 0)
    new = row.replace("9,", "8,")
    refused = take_in("usage", HEADER + new + new.replace(",1\n", ",2\n"))
    assert rejections(refused) == [
        (3, "event_id", "8", "comes again with other content; it was first on line 2"),
    ]
    refused = take_in("usage", HEADER + row.replace("ana", "ben"))
    assert rejections(refused) == [(2, "event_id", "9", "is that of an event that we have, which has other content")]
    assert used(sessions, 1).calls == 1


LATER = (utc_now() + timedelta(days=2)).replace(microsecond=0)
WRONG = {
    "no id": (" ,ACME,2026-03-10T10:00:00Z,,,,,", ("event_id", "", "is empty")),
    "a long id": (
        f"{'x' * 256},ACME,2026-03-10T10:00:00Z,,,,,",
        ("event_id", "x" * 119 + "…", "is 256 characters long; at most 255 are kept"),
    ),
    "a shortened id": (
        "1.23457E+12,ACME,2026-03-10T10:00:00Z,,,,,",
        (
            "event_id",
            "1.23457E+12",
            "was destroyed by a spreadsheet, which shows long numbers so and forgets their digits: "
            "export the file again, and open it as text",
        ),
    ),
    "customer": (
        "1,NONE,2026-03-10T10:00:00Z,,,,,",
        ("customer_ref", "NONE", "no customer has this customer_ref; import customers first"),
    ),
    "meter": ("1,ACME,2026-03-10T10:00:00Z,steps,,,,", ("meter", "steps", "no meter has this code")),
    "no time": ("1,ACME,,,,,,", ("time", "", "is empty")),
    "a day": ("1,ACME,2026-03-10,,,,,", ("time", "2026-03-10", "must be a time such as 2024-02-15T10:00:00Z")),
    "no such time": (
        "1,ACME,2026-02-30T10:00:00Z,,,,,",
        ("time", "2026-02-30T10:00:00Z", "is not a time that there is"),
    ),
    "the past": ("1,ACME,1999-12-31T23:59:59Z,,,,,", ("time", "1999-12-31T23:59:59Z", "lies before 2000")),
    "the future": (
        f"1,ACME,{LATER.isoformat()},,,,,",
        ("time", stored_on_sqlite(LATER), "lies more than a day in the future"),
    ),
    "negative": ("1,ACME,2026-03-10T10:00:00Z,,,,,-1", ("quantity", "-1", "must not be negative")),
    "too much": (
        "1,ACME,2026-03-10T10:00:00Z,,,,,1000000001",
        ("quantity", "1000000001", "is larger than 1,000,000,000"),
    ),
    "not a number": ("1,ACME,2026-03-10T10:00:00Z,,,,,NaN", ("quantity", "NaN", "is not a number")),
    "with an exponent": (
        "1,ACME,2026-03-10T10:00:00Z,,,,,1e400",
        ("quantity", "1e400", "is written with an exponent; write the number out"),
    ),
    "seven decimals": (
        "1,ACME,2026-03-10T10:00:00Z,,,,,0.0000001",
        ("quantity", "0.0000001", "has more than 6 decimals"),
    ),
    "a day's answer": (
        "1,ACME,2026-03-10T10:00:00Z,,,,86400.1,",
        ("response_time", "86400.1", "is larger than 86,400"),
    ),
    "two lines": (
        '1,ACME,2026-03-10T10:00:00Z,,"a\nb",,,',
        ("user", "a\nb", "has a character in it that cannot be kept"),
    ),
}


@pytest.mark.parametrize(("row", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_row_is_rejected_with_its_line_and_nothing_is_imported(row, reason, two_customers, take_in, sessions):
    refused = take_in("usage", f"{FILE.replace('1,ACME', '0,ACME')}{row}\n")
    assert rejections(refused) == [(5, *reason)]
    assert (refused.applied, row_count(sessions, UsageEvent), row_count(sessions, UsageEventKey)) == (False, 0, 0)


def test_a_dry_run_and_a_rehearsal_write_nothing(two_customers, dry_run, sessions):
    assert counts(dry_run("usage", FILE)) == (3, 0, 0, 0)
    files = [incoming("usage", FILE), incoming("usage", FILE)]
    outcomes = service.rehearse(sessions, SYSTEM, files, now=utc_now())
    assert [counts(outcome) for outcome in outcomes] == [(3, 0, 0, 0), (0, 0, 3, 0)]
    assert [row_count(sessions, model) for model in (UsageEvent, UsageEventKey)] == [0, 0]


def test_what_comes_for_a_billed_period_is_late(two_customers, take_in, sessions):
    with sessions.begin() as session:
        march = {"first_day": date(2026, 3, 1), "last_day": date(2026, 3, 31)}
        session.execute(insert(UsagePeriod).values(customer_id=1, billed_at=utc_now(), **march))
    assert counts(take_in("usage", FILE)) == (3, 0, 0, 0)
    with sessions() as session:
        assert [row.id for row in listing.late_events(session, SYSTEM)] == ["1", "2"]


def test_a_failure_while_counting_leaves_nothing_behind(two_customers, take_in, sessions, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(keeping, "_COUNT", {})
        with pytest.raises(KeyError):
            take_in("usage", FILE)
    assert [row_count(sessions, model) for model in (UsageEvent, UsageEventKey)] == [0, 0]
    assert counts(take_in("usage", FILE)) == (3, 0, 0, 0)
    proven(sessions)


def test_a_file_spreads_over_years_and_users(two_customers, take_in, sessions):
    """Each customer has an event every five days, from 2019 on."""
    begin = datetime(2019, 1, 1, tzinfo=UTC)
    rows = [
        f"{ref}-{number},{ref},{(begin + timedelta(days=5 * number)).isoformat()},,user {number % 7},,0.5,\n"
        for number in range(500)
        for ref in ("BETA", "ACME")
    ]
    assert counts(take_in("usage", HEADER + "".join(rows))) == (1_000, 0, 0, 0)
    with sessions() as session:
        whole = queries.usage_of(session, SYSTEM, 1, start=begin, end=begin + timedelta(days=2_500))
    assert (whole.calls, whole.total_users, whole.response_time_sum) == (500, 7, Decimal(250))
    proven(sessions)
