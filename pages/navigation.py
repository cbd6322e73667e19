"""The entry script: who is signed in, and the menu that their permissions allow."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))

import streamlit as st  # noqa: E402

from billing_core.identity import Permission  # noqa: E402
from pages.ui import address, collection_mode, context, failures, messages  # noqa: E402
from pages.ui.inputs import parameters  # noqa: E402
from pages.ui.signed_in import signed_in_person  # noqa: E402
from pages.ui.text import OWN_DIRECTIONS  # noqa: E402

# Without a permission: reached from other pages and by its address only, and checks for itself who may see it.
MENU: dict[str, list[tuple[str, str, str, Permission | None]]] = {
    "Money": [
        ("overview.py", "Overview", ":material/space_dashboard:", Permission.REPORT_READ),
        ("customers.py", "Customers", ":material/groups:", Permission.CUSTOMER_READ),
        ("reports.py", "Reports", ":material/receipt_long:", Permission.REPORT_READ),
        ("invoices.py", "Invoices", ":material/request_quote:", Permission.INVOICE_READ),
        ("invoice_editor.py", "Invoice", ":material/request_quote:", None),
        ("subscriptions.py", "Subscriptions", ":material/event_repeat:", Permission.SUBSCRIPTION_READ),
        ("payment_links.py", "Payment links", ":material/link:", Permission.PAYMENT_READ),
        ("payments.py", "Payments", ":material/payments:", Permission.PAYMENT_READ),
        ("tax.py", "Tax", ":material/account_balance:", Permission.INVOICE_READ),
    ],
    "Set-up": [
        ("rate_cards.py", "Rate cards", ":material/price_change:", Permission.RATE_READ),
        ("plans.py", "Plans and meters", ":material/sell:", Permission.PLAN_READ),
        ("promo_codes.py", "Promo codes", ":material/redeem:", Permission.PROMO_READ),
        ("usage.py", "Usage", ":material/data_usage:", Permission.USAGE_READ),
        ("imports.py", "Import", ":material/upload_file:", Permission.IMPORT),
    ],
    "Administration": [
        ("admin/people.py", "People", ":material/manage_accounts:", Permission.USER_MANAGE),
        ("admin/keys.py", "API keys", ":material/key:", Permission.USER_MANAGE),
        ("admin/outgoing_webhooks.py", "Outgoing webhooks", ":material/webhook:", Permission.WEBHOOK_ENDPOINT_WRITE),
        ("admin/business.py", "Business", ":material/domain:", Permission.BUSINESS_WRITE),
        ("admin/reminders.py", "Reminders", ":material/notifications_active:", Permission.BUSINESS_WRITE),
        ("admin/outbox.py", "Outbox", ":material/outbox:", Permission.OUTBOX_READ),
        ("admin/online_payments.py", "Online payments", ":material/credit_card:", Permission.BUSINESS_WRITE),
        ("admin/incoming_webhooks.py", "Incoming webhooks", ":material/move_to_inbox:", Permission.WEBHOOK_READ),
        ("admin/jobs.py", "Jobs", ":material/conveyor_belt:", Permission.JOBS_MANAGE),
        ("admin/numbers.py", "Number series", ":material/tag:", Permission.AUDIT_READ),
        ("admin/audit.py", "Audit log", ":material/history:", Permission.AUDIT_READ),
    ],
}

FILES = {title: file for entries in MENU.values() for file, title, *_ in entries}
# A file of ours: the browser would fetch a Material icon for its tab from another site.
STATIC = HERE.parent / "billing_core" / "web" / "static"
SIDEBAR = 240

st.set_page_config(
    page_title="Billing", page_icon=str(STATIC / "icon.svg"), layout="wide", initial_sidebar_state=SIDEBAR
)
st.logo(str(STATIC / "logo.svg"), size="large", icon_image=str(STATIC / "icon.svg"))
st.html(OWN_DIRECTIONS)
failures.warn_of_lost_file()
person = context.signed_in_for_this_run()
# A page that the role may not see stays reachable by its address, where it says so.
page = st.navigation(
    {
        section: [
            st.Page(
                HERE / file,
                title=title,
                icon=icon,
                url_path=file.removesuffix(".py").replace("/", "_"),
                default=file == "overview.py",
                visibility="visible" if needed and person.actor.may(needed) else "hidden",
            )
            for file, title, icon, needed in entries
        ]
        for section, entries in MENU.items()
    },
    expanded=True,
)
with st.sidebar:
    signed_in_person(person)
messages.show()
collection_mode.mark_live()
address.begin(page.title, parameters.of_page(FILES[page.title]))
page.run()
