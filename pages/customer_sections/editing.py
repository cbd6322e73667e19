"""Editing a customer's details."""

import streamlit as st

from billing_core.businesses import choices
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.customers.service import LENGTHS
from billing_core.dates import day_in, utc_now
from billing_core.identity import Actor
from billing_core.metering import zone_changes
from billing_core.recipients import in_a_list, split
from pages.customer_sections import language
from pages.ui import messages
from pages.ui.context import transaction
from pages.ui.inputs import print_hint, terms_reading


def draw(actor: Actor, customer: Customer, business: Business) -> None:
    st.caption("The key and the currency cannot be changed: orders, rates and reports depend on them.")
    zones = ("", *choices.time_zones())
    if customer.time_zone not in zones:
        zones = (*zones, customer.time_zone)
    form = f"customer_{customer.id}_{customer.version}"
    # Outside the form, so that the reading and the sample follow what is typed and chosen.
    payment_terms = st.text_input(
        "Payment terms",
        customer.payment_terms,
        max_chars=LENGTHS["payment_terms"],
        key=f"{form}_payment_terms",
        placeholder=f"As the business, {business.payment_terms}",
        help=f"{terms_reading.EXAMPLES}. Empty: as the business.",
    )
    today = day_in(business.time_zone, utc_now())
    terms_reading.show(payment_terms or business.payment_terms, today, of_many=True)
    print_hint.show(payment_terms)
    spoken, format_region = language.choose(customer, form=form)
    with st.form(form, border=True):
        left, right = st.columns(2)
        with left:
            name = st.text_input("Name", customer.name, max_chars=200, required=True)
            print_hint.show(name)
            to = in_a_list((customer.email, customer.further_emails))
            emails = st.text_input("E-mail", to, help="One address, or several with commas. Programs know the first")
            cc = st.text_input("CC", customer.cc_emails, placeholder="Nobody", help="Get a copy of every mail")
            bcc = st.text_input(
                "BCC", customer.bcc_emails, placeholder="Nobody", help="Get a copy that nobody else reads of"
            )
            phone = st.text_input("Phone", customer.phone, max_chars=64)
            tax_id = st.text_input("Tax number", customer.tax_id, max_chars=64)
            print_hint.show(tax_id)
            zero_tax_reason = st.text_input(
                "Reason for 0 % tax",
                customer.zero_tax_reason,
                max_chars=200,
                placeholder="As the business",
                help="Printed on invoices that have lines with 0 % tax, such as Reverse charge",
            )
            print_hint.show(zero_tax_reason)
            time_zone = st.selectbox(
                "Time zone",
                zones,
                zones.index(customer.time_zone),
                format_func=lambda zone: zone or "As the business",
                help="In whose days its usage is billed",
            )
        with right:
            address = st.text_input("Address", customer.address, max_chars=500)
            print_hint.show(address)
            postal_code = st.text_input("Postal code", customer.postal_code, max_chars=32)
            city = st.text_input("City", customer.city, max_chars=120)
            print_hint.show(city)
            state = st.text_input("State or region", customer.state, max_chars=120)
            print_hint.show(state)
            country = st.text_input("Country", customer.country, max_chars=100, help="Its name or its two-letter code")
        saved = st.form_submit_button("Save details", type="primary", icon=":material/save:")
    if saved:
        facts = {
            "name": name,
            **dict(zip(("email", "further_emails"), split(emails or ""), strict=True)),
            "cc_emails": cc,
            "bcc_emails": bcc,
            "phone": phone,
            "address": address,
            "city": city,
            "state": state,
            "postal_code": postal_code,
            "country": country,
            "tax_id": tax_id,
            "zero_tax_reason": zero_tax_reason,
            "language": spoken,
            "format_region": format_region,
            "payment_terms": payment_terms,
            "time_zone": time_zone,
        }
        with transaction() as session:
            zone_changes.change_customer(
                session,
                actor,
                customer.id,
                version=customer.version,
                facts={field: value or "" for field, value in facts.items()},
                now=utc_now(),
            )
        messages.say("Saved the customer's details")
        st.rerun()
