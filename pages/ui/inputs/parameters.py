"""All that the address of each page may say. Anything else is told there: a misspelt filter would narrow nothing."""

# The rows of a figure, in a dialog of any page.
_EVERYWHERE = "rows_*"
_OF_RUNS = (
    "run run_period run_period_days run_customers run_services run_goal run_outcome run_items_page real_goal "
    "rehearsed_change rehearsed_page"
)
_KNOWN = {
    "overview.py": "period period_days known overview_currency overview_money_currency",
    "customers.py": "customer customer_tab customers_text customers_country customers_currency customers_billed "
    "customers_lacks customers_standing customers_sort customers_page customer_reports_page customer_invoices_page "
    "customer_notes_page customer_payments_page customer_subscriptions_page customer_orders_page "
    "customer_activity_page refunds_page statement_days",
    "reports.py": f"report tab {_OF_RUNS} reports_text reports_customer reports_state reports_currency reports_sort "
    "reports_from reports_to reports_after reports_before reports_by reports_page billed_twice_page changes_page "
    "report_orders_page report_questions_page report_prices_page",
    "invoices.py": "invoice invoices_tab invoices_text invoices_customer invoices_currency invoices_sort "
    "invoices_issued_from invoices_issued_to invoices_due_from invoices_due_to invoices_smallest invoices_largest "
    "invoices_business invoices_page",
    "invoice_editor.py": "invoice report customer business",
    "subscriptions.py": "subscription subscriber subscription_tab subscriptions_tab subscriptions_text "
    "subscriptions_customer subscriptions_plan subscriptions_sort subscriptions_page subscription_invoices_page "
    "subscription_periods_page subscription_activity_page",
    "payment_links.py": "link links_text links_state links_mode links_sort links_page",
    "payments.py": "payment record payments_tab payments_text payments_customer payments_method payments_currency "
    "payments_state payments_sort payments_from payments_to payments_page credit_page ageing_as_at ageing_currency "
    "ageing_sort ageing_page refunds_page cases_page settled_cases_page reconciliation_period "
    "reconciliation_period_days reconciliation_agreement reconciliation_page",
    "tax.py": "tax_business tax_period tax_period_days tax_known tax_page",
    "rate_cards.py": "customer rate rate_tab",
    "plans.py": "plan plans_tab plans_page meter plan_tab terms_version cost_version plan_customers_text "
    "plan_customers_page compare_month compare_version move_shown moved_page to_move_page staying_page",
    "promo_codes.py": "code promo_codes_text promo_codes_status promo_codes_plan promo_codes_page "
    "promo_redemptions_page",
    "usage.py": f"organization usage_list usage_tab usage_text usage_month usage_plan usage_allowance usage_sort "
    f"usage_page usage_period usage_late_open {_OF_RUNS} making_month making_customers making_goal",
    "imports.py": "import import_kind import_since import_until import_page",
    "admin/people.py": "person q people_page",
    "admin/keys.py": "key q keys_page",
    "admin/outgoing_webhooks.py": "endpoint subscriber told_state told_page",
    "admin/business.py": "business",
    "admin/outbox.py": "message state about q outbox_page",
    "admin/incoming_webhooks.py": "event events_state events_type events_text events_page",
    "admin/numbers.py": "series numbers_page",
    "admin/audit.py": "entry by action of q since until audit_page",
}


def of_page(file: str) -> list[str]:
    """What the page of this file reads; of a name that ends in ``*``, whatever begins like it."""
    return [*_KNOWN.get(file, "").split(), _EVERYWHERE]
