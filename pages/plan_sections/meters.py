"""Meters: what is counted, and the buckets whose events have prices of their own."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal

import streamlit as st

from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import Actor, Permission
from billing_core.metering import meters
from billing_core.metering.buckets import Value
from billing_core.metering.meters import BucketRow, MeterRow
from billing_core.metering.models import Aggregation
from pages.ui import address, formats, opened, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import print_hint
from pages.ui.reads import Reader
from pages.ui.text import md

AGGREGATIONS = {
    Aggregation.COUNT: "How many events there are",
    Aggregation.SUM: "The sum of their quantities",
    Aggregation.MAX: "The greatest quantity",
    Aggregation.UNIQUE: "How many different users or values",
    Aggregation.LATEST: "The latest quantity",
    Aggregation.TIME_WEIGHTED_SUM: "The quantity, for as long as it holds",
}
# In quotation marks, as in JSON, or up to the next comma.
_TOKENS = re.compile(r'\s*"(?:[^"\\]|\\.)*"|[^,]+')
_OPENED, _ASKED = "meter", "bucket_asked_for"


def draw(read: Reader, actor: Actor) -> None:
    may_write = actor.may(Permission.PLAN_WRITE)
    if may_write and st.button("New meter", icon=":material/add:", key="new_meter"):
        _new()
    rows = read(meters.rows)
    tables.show(
        rows,
        [
            tables.button("Open", lambda row: f":material/open_in_new: {row.code}", opens=_open, width=160),
            tables.text("Name", "name"),
            tables.computed("What it makes of its events", _makes, width="large"),
            tables.text("Unit", "unit"),
            tables.computed(
                "Buckets", lambda row: formats.count(sum(one.retired_at is None for one in row.buckets)), right=True
            ),
        ],
        key="meters",
        alt="Meters",
    )
    st.caption("An event names its meter; without one it is an API call. An event of an unknown meter is refused.")
    if code := address.one(_OPENED, "meter"):
        row = next((one for one in rows if one.code == code), None) or address.missing(_OPENED, "meter")
        _buckets(row, may_write=may_write)


def _open(row: MeterRow) -> None:
    st.query_params[_OPENED] = row.code


def _makes(row: MeterRow) -> str:
    made = AGGREGATIONS[row.aggregation]
    return f"{made} of “{row.unique_of}”" if row.unique_of else made


def _buckets(row: MeterRow, *, may_write: bool) -> None:
    opened.heading(md(row.name), _OPENED)
    if may_write:
        with st.container(horizontal=True):
            if st.button("New bucket", icon=":material/add:", key="new_bucket"):
                _bucket(row, None)
            if st.button("Rename", icon=":material/edit:", key="rename_meter"):
                _rename(row)
    if not row.buckets:
        st.info(
            "It has no buckets: all of its events have the same price. A bucket takes those with certain properties, "
            "such as a region, so that a plan can give them a price of their own.",
            icon=":material/filter_alt:",
        )
        return
    columns = [
        tables.text("Bucket", "code"),
        tables.text("Name", "name"),
        tables.computed("Takes events with", lambda one: " · ".join(_lines(one)), width="large"),
        tables.computed("State", lambda one: "Retired" if one.retired_at else "In use"),
    ]
    if may_write:
        columns += [
            tables.button("Change", lambda one: None if one.retired_at else "Change", opens=_ask_to_change, width=84),
            tables.button("Retire", lambda one: None if one.retired_at else "Retire", opens=_ask_to_retire, width=84),
        ]
    tables.show(row.buckets, columns, key=f"buckets_{row.id}", alt=f"Buckets of {row.name}")
    st.caption("An event falls into the first of them that it fits, which is the most specific one.")
    asked: tuple[str, BucketRow] | None = st.session_state.pop(_ASKED, None)
    if asked is not None and asked[0] == "change":
        _bucket(row, asked[1])
    elif asked is not None:
        _retire(row, asked[1])


def _ask_to_change(bucket: BucketRow) -> None:
    st.session_state[_ASKED] = ("change", bucket)


def _ask_to_retire(bucket: BucketRow) -> None:
    st.session_state[_ASKED] = ("retire", bucket)


def _lines(bucket: BucketRow) -> list[str]:
    """Such as ``region: eu, us``; a text that could be read as something else is quoted."""
    return [f"{name}: {', '.join(map(_shown, values))}" for name, values in bucket.filters.items()]


def _shown(value: str) -> str:
    """A value in JSON, without its quotation marks where it needs none."""
    text = json.loads(value)
    return text if isinstance(text, str) and _values(text) == [text] else value


def _values(text: str) -> list[Value]:
    """``eu, us`` are two texts, ``5, true`` a number and a truth; in quotation marks anything is a text."""
    return [_value(token.strip()) for token in _TOKENS.findall(text) if token.strip()]


def _value(token: str) -> Value:
    try:
        value = json.loads(token, parse_float=Decimal)
    except ValueError:
        return token
    if not isinstance(value, str | int | Decimal | bool):
        raise Invalid("The values must be texts, numbers, true or false", fields={"filters": "are no values"})
    return value


def _filters(text: str) -> Mapping[str, list[Value]]:
    filters: dict[str, list[Value]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, values = line.partition(":")
        if not colon or not name.strip() or name.strip() in filters:
            reason = f"“{line[:60]}” is not such as region: eu, us; each property once"
            raise Invalid(reason, fields={"filters": "are one property a line"})
        filters[name.strip()] = _values(values)
    return filters


@st.dialog("New meter", icon=":material/add:")
def _new() -> None:
    actor = signed_in()
    with st.container(horizontal=True):
        code = st.text_input("Code", key="meter_code", max_chars=64, placeholder="Such as storage", width=180)
        name = st.text_input("Name", key="meter_name", max_chars=200, placeholder="Such as Storage")
    print_hint.show(name)
    aggregation = st.selectbox(
        "What it makes of its events", list(AGGREGATIONS), format_func=AGGREGATIONS.__getitem__, key="meter_aggregation"
    )
    unique_of = ""
    if aggregation is Aggregation.UNIQUE:
        unique_of = st.text_input("Of which property", key="meter_unique_of", placeholder="Empty: the users")
    unit = st.text_input("Unit", key="meter_unit", max_chars=64, placeholder="Such as GB", width=180)
    print_hint.show(unit)
    st.caption("What a meter makes of its events never changes. Plans give it a price in a new version.")
    if st.button("Create the meter", type="primary", icon=":material/add:", key="create_meter"):
        with attempt(f"Created the meter {name}") as session:
            meters.create(
                session,
                actor,
                code=code,
                name=name,
                aggregation=aggregation,
                unit=unit,
                unique_of=unique_of.strip(),
                now=utc_now(),
            )


@st.dialog("Rename the meter", icon=":material/edit:")
def _rename(row: MeterRow) -> None:
    actor = signed_in()
    name = st.text_input("Name", row.name, key=f"meter_name_{row.id}", max_chars=200)
    print_hint.show(name)
    unit = st.text_input("Unit", row.unit, key=f"meter_unit_{row.id}", max_chars=64, width=180)
    print_hint.show(unit)
    if st.button("Save", type="primary", icon=":material/save:", key="save_meter"):
        with attempt("Renamed the meter") as session:
            meters.rename(session, actor, row.code, name=name, unit=unit, now=utc_now())


@st.dialog("Bucket", icon=":material/filter_alt:")
def _bucket(row: MeterRow, bucket: BucketRow | None) -> None:
    actor = signed_in()
    key = bucket.id if bucket else "new"
    code = bucket.code if bucket else st.text_input("Code", key="bucket_code", max_chars=64, width=180)
    name = st.text_input("Name", bucket.name if bucket else "", key=f"bucket_name_{key}", max_chars=200)
    print_hint.show(name)
    filters = st.text_area(
        "Takes events with",
        "\n".join(_lines(bucket)) if bucket else "",
        key=f"bucket_filters_{key}",
        placeholder="region: eu, us",
        help="One property a line, with the values that it may have. An event must have all of the properties.",
        height=110,
    )
    st.caption("Events of months that are not billed yet move at once; those of billed ones stay where they are.")
    if st.button("Save", type="primary", icon=":material/save:", key="save_bucket"):
        with attempt(f"Saved the bucket {code}") as session:
            save = meters.change_bucket if bucket else meters.add_bucket
            save(session, actor, row.code, code=code, name=name, filters=_filters(filters), now=utc_now())


@st.dialog("Retire the bucket", icon=":material/filter_alt_off:")
def _retire(row: MeterRow, bucket: BucketRow) -> None:
    actor = signed_in()
    st.markdown(
        f"No event falls into **{md(bucket.name)}** any more. Those of months that are not billed yet move to the next "
        "bucket that they fit, or to none. This cannot be undone."
    )
    if st.button("Retire", type="primary", icon=":material/filter_alt_off:", key="retire_bucket"):
        with attempt(f"Retired the bucket {bucket.code}") as session:
            meters.retire_bucket(session, actor, row.code, bucket.code, now=utc_now())
