"""The audit log: who changed what, when, from what to what."""

from datetime import timedelta

import streamlit as st

from billing_core.audit import queries
from billing_core.audit.queries import AuditFilter, AuditRow, FieldChange
from billing_core.dates import start_of_day
from billing_core.identity import Permission
from pages.ui import context, formats, opened, tables
from pages.ui.inputs import filters
from pages.ui.reads import Reader

actor = context.require(Permission.AUDIT_READ)
read = Reader(actor)
zone = read.company.time_zone

st.title("Audit log", anchor=False)
st.caption("Every change to the data. Entries cannot be changed or removed.")


def open_row(row: AuditRow) -> None:
    st.query_params["entry"] = str(row.id)


def in_words(changes: list[FieldChange]) -> list[FieldChange]:
    """The changes as people write them: amounts and periods instead of how they are kept."""
    currency = next((one.after or one.before for one in changes if one.field == "currency"), None)

    def readable(one: FieldChange, value: str | None) -> str | None:
        if value and currency and one.field.endswith("_minor"):
            return formats.money(int(value), currency)
        return value and formats.with_days(value)

    return [
        FieldChange(
            formats.words(one.field.removesuffix("_minor") if currency else one.field),
            readable(one, one.before),
            readable(one, one.after),
        )
        for one in changes
    ]


with filters.row():
    people = read(queries.actors)
    who = filters.choice(
        "By",
        [str(identity) for identity in people],
        key="by",
        page_key="audit_page",
        names={str(identity): name for identity, name in people.items()},
        every="Everybody",
    )
    actions = read(queries.actions)
    action = filters.choice(
        "Change", actions, key="action", page_key="audit_page", names={name: formats.action(name) for name in actions}
    )
    kinds = read(queries.subject_kinds)
    kind = filters.choice(
        "Of", kinds, key="of", page_key="audit_page", names={name: formats.words(name) for name in kinds}
    )
    text = filters.search("Search", key="q", page_key="audit_page", placeholder="Name, id, old or new value")
    first = filters.day("From", key="since", page_key="audit_page", width=140)
    last = filters.day("To", key="until", page_key="audit_page", width=140)
    filters.in_order(first, last, "Days", key="until")

entry_filter = AuditFilter(
    actor_id=int(who) if who.isdigit() else None,
    action=action,
    subject_kind=kind,
    text=text,
    since=start_of_day(zone, first) if first else None,
    until=start_of_day(zone, last + timedelta(days=1)) if last else None,
)

if chosen := opened.identity("entry", "entry", digits=opened.LONG_ID_DIGITS):
    entry, changes = read(queries.one, chosen)
    with st.container(border=True):
        opened.heading(formats.action(entry.action), "entry")
        st.text(f"{entry.actor_name}, {formats.instant(entry.at, zone)}")
        st.text(
            f"{formats.words(entry.subject_kind)} {entry.subject_id} {formats.with_days(entry.subject_label)}".strip()
        )
        if changes:
            columns = [tables.text("Field", "field"), tables.text("Before", "before"), tables.text("After", "after")]
            tables.show(
                in_words(changes),
                columns,
                key="audit_changes",
                alt="What the entry changed, field by field",
            )

total = read(queries.count, entry_filter)
if total == 0:
    st.info("No change matches these filters. Clear one of them.", icon=":material/filter_alt_off:")
    st.stop()
skipped = tables.pager(total, key="audit_page", noun="change")
rows = read(queries.page, entry_filter, limit=tables.PAGE_SIZE, offset=skipped)
tables.show(
    rows,
    [
        tables.instant("When", "at", zone),
        tables.text("By", "actor_name"),
        tables.computed("Change", lambda row: formats.action(row.action)),
        tables.computed("Of", lambda row: formats.words(row.subject_kind)),
        tables.text("Id", "subject_id"),
        tables.computed("Name", lambda row: formats.with_days(row.subject_label)),
    ],
    key="audit",
    alt="Changes, newest first",
    opens=open_row,
)
st.caption("Click a row to see what it was before and after.")
