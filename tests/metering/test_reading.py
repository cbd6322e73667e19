"""What an event may be, and what is said of one that cannot be kept."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.metering.reading import Event, Refusal, digest_of_written, digests_of_written, read
from tests.metering.used import NOW, an_event


def reasons(given: object) -> dict[str, str]:
    outcome = read(7, given, now=NOW)
    assert isinstance(outcome, Refusal), outcome
    assert outcome.index == 7
    return outcome.fields


def kept(**facts: object) -> Event:
    outcome = read(0, an_event(**facts), now=NOW)
    assert isinstance(outcome, Event), outcome
    return outcome


def nested(depth: int) -> dict[str, object]:
    """An object that is so many objects deep."""
    document: dict[str, object] = {}
    for _ in range(depth - 1):
        document = {"inner": document}
    return document


def test_what_nobody_told_is_an_api_call_of_quantity_one_by_nobody():
    event = kept()
    assert (event.meter, event.user, event.endpoint, event.response_time) == ("api_calls", "", "", None)
    assert (event.quantity, event.properties) == (Decimal(1), "{}")
    assert event.occurred_at == datetime(2026, 3, 10, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-03-10T10:00:00Z", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        ("2026-03-10T10:00:00", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        ("2026-03-10 10:00", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        ("2026-03-10T12:30:00+02:30", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        ("2026-03-10T05:00:00-0500", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        ("2026-03-10T10:00:00.5Z", datetime(2026, 3, 10, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-10T23:59:59.999999999Z", datetime(2026, 3, 10, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_instants_to_the_microsecond(written, instant):
    assert kept(time=written).occurred_at == instant


@pytest.mark.parametrize(
    "time",
    [
        "",
        "yesterday",
        "2026-03-10",
        "20260310T100000Z",
        "2026-W11-2T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-03-10T25:00:00Z",
        "2026-03-10T10:00:00+99:00",
        "٢٠٢٦-03-10T10:00:00Z",
        "2026-03-10T10:00:00Z ",
        1_773_136_800,
        True,
        ["2026-03-10T10:00:00Z"],
    ],
)
def test_what_is_no_time_is_refused(time):
    assert list(reasons(an_event(time=time))) == ["time"]


def test_an_event_may_lie_a_day_in_the_future_and_not_a_second_more():
    day = timedelta(days=1)
    assert kept(time=(NOW + day).isoformat()).occurred_at == NOW + day
    assert reasons(an_event(time=(NOW + day + timedelta(seconds=1)).isoformat())) == {
        "time": "lies more than a day in the future"
    }
    assert reasons(an_event(time="1999-12-31T23:59:59Z")) == {"time": "lies before 2000"}
    assert reasons(an_event(time="9999-12-31T23:59:59-12:00")) == {"time": "lies more than a day in the future"}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", None, "is needed"),
        ("id", "", "is needed"),
        ("id", "  ", "is needed"),
        ("id", 7, "must be a text"),
        ("id", "x" * 10_000, "may have at most 255 characters"),
        ("id", "a\0b", "has a character in it that cannot be kept (U+0000)"),
        ("id", "a\nb", "has a character in it that cannot be kept (U+000A)"),
        ("id", "a\ud800", "has a character in it that cannot be kept (U+D800)"),
        ("time", None, "is needed"),
        ("customer_ref", "", "is needed"),
        ("customer_ref", ["ACME"], "must be a text"),
        ("customer_ref", "x" * 65, "may have at most 64 characters"),
        ("meter", "", "is needed"),
        ("meter", 1, "must be a text"),
        ("user", {"name": "ana"}, "must be a text"),
        ("user", "x" * 256, "may have at most 255 characters"),
        ("endpoint", "x" * 501, "may have at most 500 characters"),
        ("endpoint", "/v1\x1b[0m", "has a character in it that cannot be kept (U+001B)"),
        ("response_time", "0.4", "must be a number"),
        ("response_time", 0.4, "must be a number"),
        ("response_time", Decimal("-0.000001"), "must not be negative"),
        ("response_time", Decimal("86400.000001"), "may be at most 86,400"),
        ("response_time", Decimal("0.0000001"), "may have at most 6 decimals"),
        ("quantity", True, "must be a number"),
        ("quantity", float("nan"), "must be a number"),
        ("quantity", Decimal("NaN"), "must be a number"),
        ("quantity", Decimal("sNaN"), "must be a number"),
        ("quantity", Decimal("Infinity"), "must be a number"),
        ("quantity", -1, "must not be negative"),
        ("quantity", Decimal("1E+400"), "may be at most 1,000,000,000"),
        ("quantity", 10**4_000, "may be at most 1,000,000,000"),
        ("quantity", Decimal("1000000000.000001"), "may be at most 1,000,000,000"),
        ("quantity", Decimal("1E-400"), "may have at most 6 decimals"),
        ("properties", "{}", "must be an object"),
        ("properties", [1], "must be an object"),
        ("properties", {1: "one"}, "must have texts as names"),
        ("properties", {"t": "\0"}, "has a character in it that cannot be kept (U+0000)"),
        ("properties", {"\x07": 1}, "has a character in it that cannot be kept (U+0007)"),
        ("properties", {"n": 0.1}, "has a value in it that is no text, number, true, false, null, list or object"),
        ("properties", {"n": Decimal("NaN")}, "has a number in it that is too long"),
        ("properties", {"n": Decimal("1E+999999999")}, "has a number in it that is too long"),
        ("properties", {"n": 10**4_000}, "has a number in it that is too long"),
        ("properties", nested(50), "may be nested at most 10 deep"),
        ("properties", nested(11), "may be nested at most 10 deep"),
        ("properties", {"t": "x" * 10_000}, "may have at most 10,000 bytes"),
        ("colour", "red", "is not a field of an event"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_its_field(field, value, reason):
    assert reasons(an_event() | {field: value}) == {field: reason}


def test_the_largest_that_may_be_kept():
    event = kept(
        id="x" * 255,
        response_time=86_400,
        quantity=Decimal("1000000000.000000"),
        properties=nested(10) | {"t": "x" * 9_880},
    )
    assert (event.quantity, event.response_time) == (10**9, 86_400)


def test_outer_spaces_belong_to_no_name():
    event = kept(id=" a b\u2003", customer_ref=" ACME\n", user=f" {'x' * 255} ")
    assert (event.id, event.organization, event.user) == ("a b", "ACME", "x" * 255)


def test_every_field_at_fault_is_named():
    wrong = reasons({"id": "", "time": "noon", "quantity": -1})
    assert set(wrong) == {"id", "organization_id", "time", "quantity"}


def test_an_organization_is_named_in_one_way():
    assert reasons(an_event(organization_id="cus_1")) == {"customer_ref": "cannot be given beside organization_id"}


@pytest.mark.parametrize("given", [None, 1, "event", [], [["id", "1"]]])
def test_what_is_no_object_is_refused(given):
    assert reasons(given) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"time": "2026-03-10T10:00:00Z"}, {"time": "2026-03-10T11:00:00.000+01:00"}),
        ({"quantity": 2}, {"quantity": Decimal("2.000")}),
        ({"quantity": 0}, {"quantity": Decimal("-0.0")}),
        ({"quantity": None}, {"quantity": 1}),
        ({"response_time": Decimal("0.42")}, {"response_time": Decimal("0.420000")}),
        ({"user": ""}, {"user": None}),
        ({"user": " "}, {"user": None}),
        ({"user": " ana\u00a0", "endpoint": "\t/v1"}, {"user": "ana", "endpoint": "/v1 "}),
        ({"meter": " api_calls "}, {}),
        ({"meter": "api_calls"}, {}),
        ({"properties": {}}, {}),
        (
            {"properties": {"a": 1, "b": [Decimal("1.50")]}},
            {"properties": {"b": [Decimal("1.5")], "a": Decimal("1.0")}},
        ),
    ],
)
def test_the_same_content_written_otherwise_has_the_same_digest(one, other):
    assert kept(**one).digest == kept(**other).digest


@pytest.mark.parametrize(
    "facts",
    [
        {"time": "2026-03-10T10:00:00.000001Z"},
        {"user": "ana"},
        {"endpoint": "ana"},
        {"quantity": 2},
        {"response_time": 0},
        {"response_time": 1},
        {"properties": {"a": None}},
        {"meter": "other"},
    ],
)
def test_other_content_has_another_digest(facts):
    assert kept(**facts).digest != kept().digest


def test_digests_are_for_ever():
    """Events that come again after years are compared with what is kept of them."""
    event = kept(
        time="2024-02-29T12:30:00.25+01:00",
        user="ana",
        endpoint="/v1/é",
        response_time=Decimal("0.4200"),
        quantity=3,
        properties={"b": [1, Decimal("2.50"), None, True], "a": {"t": "ü"}},
    )
    assert event.properties == '{"a":{"t":"ü"},"b":[1,2.5,null,true]}'
    # printf '["1","2024-02-29T11:30:00.250000+00:00","api_calls","ana","/v1/é","0.42","3",
    # "{\\"a\\":{\\"t\\":\\"ü\\"},\\"b\\":[1,2.5,null,true]}"]' | sha256sum, without the line break
    assert event.digest == "c7d5598bd982f603cbe21825c1199b697f2f625ddff6e7b182e03c61585d9f6b"


NAMES = st.text(alphabet='ab"\\/{}é字', max_size=4)
USUAL_NAMES = st.text(alphabet="ab/{}é字'", max_size=4)
NUMBERS = st.sampled_from(["0", "1.5", "86400"])


def events_named(names: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str | None, ...]]]:
    times = st.just("2026-03-10T10:00:00.000000+00:00")
    return st.lists(st.tuples(names, times, names, names, names, st.none() | NUMBERS, NUMBERS), min_size=1, max_size=4)


@given(events_named(NAMES) | events_named(USUAL_NAMES))
def test_many_events_have_the_digests_that_each_has_by_itself(events):
    assert digests_of_written(*zip(*events, strict=True)) == [digest_of_written(*event, "{}") for event in events]
