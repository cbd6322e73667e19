"""The comparison with the payment service's books, as a browser asks for it."""

from datetime import UTC, datetime, timedelta

from billing_core.dates import utc_now
from billing_core.identity import Role
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import BalanceTransaction
from billing_core.online_payments.reconciliation import balance_transactions
from tests.web.downloading import get, read, signed_in

ADDRESS = "/downloads/reconciliation.csv"


def test_the_lines_of_a_period_are_saved_as_csv(served):
    now = utc_now().replace(microsecond=0)
    with served.begin() as session:
        lines = [
            BalanceTransaction("txn_1", "charge", "ch_1", "=pi_1", "EUR", 1_250, 40, now),
            BalanceTransaction("txn_2", "charge", "ch_2", "pi_2", "EUR", 9_900, 0, now - timedelta(days=60)),
        ]
        balance_transactions.keep(session, Mode.TEST, lines)
    manager = signed_in(served, Role.MANAGER)
    period = f"start_date={now.date() - timedelta(days=3)}&end_date={now.date()}"

    (row,) = read(get(f"{ADDRESS}?mode=test&{period}", manager))
    assert (row["agreement"], row["gateway_key"], row["gateway_amount"]) == ("only_there", "'=pi_1", "12.50")
    assert row["gateway_time"] == now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert read(get(f"{ADDRESS}?mode=test&{period}&agreement=matched", manager)) == []
    assert read(get(f"{ADDRESS}?mode=live&{period}", manager)) == []


def test_it_is_refused_to_who_may_not_export_and_where_it_makes_no_sense(served):
    today = datetime.now(UTC).date()
    whole = f"mode=test&start_date={today}&end_date={today}"
    assert get(f"{ADDRESS}?{whole}", signed_in(served, Role.FINANCE)).status_code == 403
    manager = signed_in(served, Role.MANAGER)
    for wrong in ("mode=other", f"{whole}&agreement=x", f"mode=test&start_date={today}&end_date=2020-01-01"):
        assert get(f"{ADDRESS}?{wrong}", manager).status_code in (400, 422), wrong
