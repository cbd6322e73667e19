"""The services that customers are charged for."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.rating import queries, service
from billing_core.rating.models import CostType
from billing_core.reports.wording import cost_type_words
from pages.ui import formats, tables
from pages.ui.context import attempt
from pages.ui.inputs import print_hint
from pages.ui.reads import Reader

COST_TYPES = list(CostType)


def draw(read: Reader, actor: Actor) -> None:
    rows = read(queries.services)
    if rows:
        tables.show(
            rows,
            [
                tables.text("Code", "code"),
                tables.text("Name", "name"),
                tables.computed("Cost type", lambda row: _cost_type(row.cost_type)),
                tables.count("Customers with a rate", "customers"),
            ],
            key="services",
            alt="Services",
        )
    else:
        st.info("There are no services yet.", icon=":material/add_box:")
    if not actor.may(Permission.RATE_WRITE):
        return
    new, change = st.columns(2)
    with new, st.form("new_service", clear_on_submit=True):
        st.markdown("**New service**")
        code = st.text_input("Code", max_chars=64, key="service_code", help="The key that imports use for it")
        name = st.text_input("Name", max_chars=200, key="service_name")
        print_hint.show(name)
        cost_type = st.selectbox("Cost type", COST_TYPES, format_func=_cost_type, key="service_cost_type")
        created = st.form_submit_button("Create", icon=":material/add:", key="create_service")
    if created:
        with new, attempt("Created the service") as session:
            service.create_service(session, actor, code=code or "", name=name or "", cost_type=cost_type, now=utc_now())
    if rows:
        with change, st.container(border=True):
            _change(actor, {row.id: row for row in rows})


def _cost_type(cost_type: CostType) -> str:
    return formats.sentence(cost_type_words(cost_type))


def _change(actor: Actor, known: dict[int, queries.ServiceRow]) -> None:
    st.markdown("**Change a service**")
    chosen = known[st.selectbox("Service", list(known), format_func=lambda one: known[one].name, key="changed_service")]
    name = st.text_input("Name", chosen.name, max_chars=200, key=f"rename_{chosen.id}")
    print_hint.show(name)
    cost_type = st.selectbox(
        "Cost type",
        COST_TYPES,
        index=COST_TYPES.index(chosen.cost_type),
        format_func=_cost_type,
        disabled=chosen.customers > 0,
        key=f"recount_{chosen.id}",
        help="Cannot be changed once a customer has a rate for it." if chosen.customers else None,
    )
    if st.button("Save", icon=":material/save:", key="save_service"):
        with attempt("Saved the service") as session:
            service.change_service(session, actor, chosen.id, name=name or "", cost_type=cost_type, now=utc_now())
