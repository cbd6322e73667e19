"""What is damaged in a company with something of everything, and what ``verify`` then names."""

ANAS_DAY = "customer ACME, utc day 2026-03-10, api_calls, user “ana”"
BENS_DAY = "day 2026-03-10, api_calls, user “ben”"
ARCHIVE = "archive 1, of 2026-02"
STRANGE = "postings to invoice id {}, which is not this customer's or currency's"
TWICE = [(order, one) for order in ("A-1", "A-2") for one in ("Handling", "Picking")]
# The damages by the name of the check: a statement, and what the check then names.
DAMAGES = {
    "Customers stand in lists where their names and refs do": [
        ("UPDATE customers SET name_order = 'z' WHERE ref = 'POOR'", "the customer Poor"),
        ("UPDATE customers SET name = 'Rich' WHERE ref = 'POOR'", "the customer Rich"),
        ("UPDATE customers SET ref = 'RICH' WHERE ref = 'POOR'", "the ref RICH"),
    ],
    "Invoices stand in lists where their numbers and customers' names do": [
        ("UPDATE invoices SET number = 'X-1' WHERE id = 1", "the number X-1"),
        ("UPDATE invoices SET customer_name_order = '' WHERE id = 1", "invoices of Customer C1"),
    ],
    "Payment links stand in lists where the names on their invoices do": [
        ("UPDATE payment_links SET customer_name_order = 'z'", "payment link id 1 to Customer C1"),
        ("UPDATE invoices SET customer_name_order = 'z' WHERE id = 4", "payment link id 1 to Customer C1"),
    ],
    "Reports stand in lists where their customers' names do": [
        ("UPDATE billing_reports SET customer_name = 'Rich' WHERE id = 2", "reports of Rich"),
    ],
    "No two documents of a business have the same number, whatever the case of its letters": [
        (
            "UPDATE invoices SET number = 'inv-2026-001', number_key = 'inv-2026-001 #2' WHERE id = 2",
            "invoice id 2, inv-2026-001, has the number of invoice id 1, INV-2026-001",
        ),
        ("UPDATE invoices SET number_key = 'x' WHERE id = 1", "invoice id 1, INV-2026-001, is not known by its number"),
        (
            "UPDATE invoices SET number_key = NULL WHERE id = 1",
            "invoice id 1, INV-2026-001, is not known by its number",
        ),
        (
            "UPDATE credit_notes SET number = 'cn-2026-001', number_key = 'x' WHERE id = 2",
            "credit note id 2, cn-2026-001, has the number of credit note id 1, CN-2026-001",
        ),
    ],
    "Each report's total is the sum of its orders, of its charges and of its services": [
        ("UPDATE billing_reports SET total_minor = total_minor + 1 WHERE id = 1", "report 1"),
        ("UPDATE billing_reports SET order_count = 2 WHERE id = 1", "report 1"),
        ("UPDATE billing_reports SET charge_count = 3 WHERE id = 1", "report 1"),
        ("UPDATE billing_reports SET question_count = 1 WHERE id = 1", "report 1"),
        ("UPDATE report_orders SET total_minor = total_minor + 1 WHERE report_id = 1", "report 1"),
        (
            "UPDATE report_charges SET amount_minor = amount_minor + 1 WHERE report_id = 1 AND service_id = 1",
            "report 1",
        ),
        ("UPDATE report_service_totals SET amount_minor = 3 WHERE report_id = 1 AND service_id = 1", "report 1"),
        ("UPDATE report_service_totals SET order_count = 2 WHERE report_id = 1 AND service_id = 1", "report 1"),
    ],
    "Each order's total on a report is the sum of its charges": [
        ("UPDATE report_orders SET total_minor = total_minor + 1 WHERE report_id = 1", "order id 1 on report 1"),
        ("DELETE FROM report_orders WHERE report_id = 1", "a charge without its order: order id 1 on report 1"),
    ],
    "Each service's total on a report is the sum of its charges": [
        (
            "UPDATE report_service_totals SET amount_minor = 3 WHERE report_id = 1 AND service_id = 1",
            "service 1 on report 1",
        ),
        (
            "UPDATE report_service_totals SET quantity = 7 WHERE report_id = 1 AND service_id = 1",
            "service 1 on report 1",
        ),
        (
            "UPDATE report_service_totals SET order_count = 2 WHERE report_id = 1 AND service_id = 1",
            "service 1 on report 1",
        ),
        ("DELETE FROM report_charges WHERE report_id = 1 AND service_id = 1", "service 1 on report 1"),
    ],
    "Each report's number of questions by kind is the number of its questions": [
        ("UPDATE report_question_totals SET question_count = 9", "no_rate on report 2"),
        ("DELETE FROM report_question_totals", "no_rate on report 2"),
        ("DELETE FROM report_questions", "no_rate on report 2"),
    ],
    "Of each report one version counts": [
        ("UPDATE billing_reports SET superseded_at = NULL WHERE id = 1", "customer 1, 2026-03-01 to 2026-03-31"),
    ],
    "The kept totals of orders by customer and month are what the orders say": [
        ("UPDATE billing_months SET orders = 9 WHERE month = '2026-05-01'", "customer 1, month 2026-05-01"),
        ("UPDATE billing_months SET billable_orders = 9 WHERE month = '2026-05-01'", "customer 1, month 2026-05-01"),
        ("UPDATE billing_months SET unbilled_orders = 0 WHERE month = '2026-05-01'", "customer 1, month 2026-05-01"),
        ("DELETE FROM billing_months WHERE month = '2026-05-01'", "customer 1, month 2026-05-01"),
    ],
    "Each figure's kept total is the sum of its rows": [
        ("UPDATE billing_months SET unbilled_orders = 0 WHERE month = '2026-05-01'", "Unbilled orders"),
    ],
    "The postings of each ledger entry add up to 0": [
        ("UPDATE ledger_postings SET amount_minor = amount_minor + 1 WHERE id = 1", "ledger entry 1"),
        ("UPDATE ledger_postings SET amount_minor = amount_minor - 1 WHERE id = 1", "ledger entry 1"),
    ],
    "Each posting has the business, customer, currency and times of its entry": [
        *(
            (f"UPDATE ledger_postings SET {column} = {other} WHERE id = 1", "posting 1 of ledger entry 1")
            for column, other in (
                ("business_id", "99"),
                ("customer_id", "99"),
                ("currency", "'EUR'"),
                ("effective_on", "'2025-12-31'"),
                ("recorded_at", "'2025-12-31 08:00:00.000000'"),
            )
        ),
        ("UPDATE ledger_postings SET entry_id = 99 WHERE id = 1", "posting 1 of ledger entry 99"),
    ],
    "Each reversal is the opposite of the entry that it reverses": [
        (
            "UPDATE ledger_postings SET amount_minor = amount_minor + 1 WHERE id = 27",
            "ledger entry 12, which reverses 11",
        ),
        ("UPDATE ledger_postings SET invoice_id = 2 WHERE id = 27", "ledger entry 12, which reverses 11"),
        ("UPDATE ledger_postings SET detail = 'cash' WHERE id = 26", "ledger entry 12, which reverses 11"),
        ("UPDATE ledger_postings SET account = 'fees' WHERE id = 26", "ledger entry 12, which reverses 11"),
        # Of the cancelled invoice of 3.00: more than that, and less than nothing.
        ("UPDATE ledger_postings SET amount_minor = -301 WHERE id = 30", "ledger entry 14, which reverses 5"),
        ("UPDATE ledger_postings SET amount_minor = 1 WHERE id = 30", "ledger entry 14, which reverses 5"),
    ],
    "What is kept for each day is what the sealed ledger entries of that day posted": [
        (
            "UPDATE ledger_days SET amount_minor = 101 WHERE account = 'bad_debt'",
            "2026-01-02: bad_debt, write_off in USD",
        ),
        ("DELETE FROM ledger_days WHERE account = 'bad_debt'", "2026-01-02: bad_debt, write_off in USD"),
        ("INSERT INTO ledger_days VALUES ('fees', 'fee', '2026-01-03', 'USD', 1)", "2026-01-03: fees, fee in USD"),
    ],
    "Each ledger entry is sealed once, or waits for its seal": [
        ("INSERT INTO ledger_unsealed (entry_id) VALUES (1)", "ledger entry 1"),
        ("DELETE FROM ledger_unsealed", "ledger entry 21"),
        ("DELETE FROM ledger_seals WHERE sequence = 2", "ledger entry 2", "1 of the first 20 seals are missing"),
    ],
    "Each sealed ledger entry is as it was sealed, and the chain is whole": [
        ("UPDATE ledger_entries SET memo = 'nothing to see' WHERE id = 2", "ledger entry 2 (seal 2)"),
        ("UPDATE ledger_postings SET detail = '7' WHERE id = 4", "ledger entry 2 (seal 2)"),
        ("DELETE FROM ledger_postings WHERE id = 4", "ledger entry 2 (seal 2)"),
        ("DELETE FROM ledger_seals WHERE sequence = 2", "ledger entry 3 (seal 3)"),
    ],
    "What each invoice keeps as due, paid, credited and written off is what was posted": [
        ("UPDATE invoices SET paid_minor = 1999 WHERE id = 2", "invoice id 2, INV-2026-002"),
        ("UPDATE invoices SET credited_minor = 499 WHERE id = 2", "invoice id 2, INV-2026-002"),
        ("UPDATE invoices SET written_off_minor = 99 WHERE id = 2", "invoice id 2, INV-2026-002"),
        ("UPDATE invoices SET state = 'cancelled' WHERE id = 4", "invoice id 4, INV-2026-004"),
        ("UPDATE ledger_postings SET amount_minor = 901 WHERE id = 7", "invoice id 4, INV-2026-004"),
        ("UPDATE invoices SET currency = 'EUR' WHERE id = 4", STRANGE.format(4)),
        ("UPDATE ledger_postings SET customer_id = 1 WHERE id = 7", STRANGE.format(4)),
        ("UPDATE ledger_postings SET customer_id = 1 WHERE invoice_id = 4", STRANGE.format(4)),
        ("UPDATE ledger_postings SET invoice_id = 99 WHERE id = 7", "invoice id 4, INV-2026-004", STRANGE.format(99)),
    ],
    "What each invoice keeps as paid is what payments and credit gave it": [
        ("UPDATE payment_allocations SET amount_minor = 1999 WHERE id = 2", "invoice id 2, INV-2026-002"),
        ("UPDATE invoices SET paid_minor = 1999 WHERE id = 2", "invoice id 2, INV-2026-002"),
        ("UPDATE payments SET amount_minor = 599 WHERE id = 3", "payment 3 gave more than it had"),
        ("UPDATE payments SET undone_at = created_at WHERE id = 3", "payment 3 gave more than it had"),
        (
            "UPDATE payment_allocations SET undone_at = NULL WHERE id = 3",
            *("invoice id 4, INV-2026-004", "payment 2 gave more than it had"),
        ),
    ],
    "Usage by day and user is the sum of the events of that day, in UTC and in the billing zone": [
        (
            "UPDATE usage_days SET calls = calls + 1 WHERE zone_kind = 'utc' AND \"user\" = 'ana'",
            ANAS_DAY,
        ),
        (
            "DELETE FROM usage_days WHERE \"user\" = 'ben' AND zone_kind = 'billing'",
            f"customer ACME, billing {BENS_DAY}",
        ),
        ("UPDATE usage_days SET whole = 2, millionths = 1000000 WHERE whole = 3 AND zone_kind = 'utc'", ANAS_DAY),
        (
            "UPDATE usage_days SET response_time = 1 WHERE zone_kind = 'utc' AND timed_calls = 1",
            f"customer ACME, utc {BENS_DAY}",
        ),
        (
            "UPDATE customers SET time_zone = ''",
            "customer ACME, billing day 2026-03-09, api_calls, user “ana”",
            "customer ACME, billing day 2026-03-10, api_calls, user “ana”",
        ),
        (
            "UPDATE usage_event_keys SET withdrawn_at = NULL, withdrawn_reason = NULL",
            "customer ACME, billing day 2026-03-08, api_calls, user “ana”",
            "customer ACME, utc day 2026-03-08, api_calls, user “ana”",
        ),
        (
            "UPDATE usage_events SET \"user\" = 'ben' WHERE event_id = 'u-2'",
            "customer ACME, billing day 2026-03-09, api_calls, user “ana”",
            "customer ACME, billing day 2026-03-09, api_calls, user “ben”",
            "customer ACME, utc day 2026-03-10, api_calls, user “ana”",
            "customer ACME, utc day 2026-03-10, api_calls, user “ben”",
        ),
    ],
    "Each user of a customer was first seen at its first event that counts": [
        ("DELETE FROM usage_users WHERE \"user\" = 'ben'", "customer ACME, user “ben”"),
        (
            "UPDATE usage_users SET \"user\" = 'eve' WHERE \"user\" = 'ben'",
            "customer ACME, user “ben”",
            "customer ACME, user “eve”",
        ),
        ("UPDATE usage_event_keys SET withdrawn_at = NULL, withdrawn_reason = NULL", "customer ACME, user “ana”"),
    ],
    "Each event of usage is in a bucket of its meter, until its period is billed in the one that it fits": [
        ("UPDATE usage_events SET bucket_id = 7 WHERE event_id = 'u-2'", "customer ACME, event “u-2”"),
        ("UPDATE usage_events SET bucket_id = 0 WHERE event_id = 'u-3'", "customer ACME, event “u-3”"),
        ("UPDATE meter_buckets SET retired_at = '2026-03-01 00:00:00+00'", "customer ACME, event “u-3”"),
    ],
    "Those events of usage are billed by themselves whose meter says so": [
        ("UPDATE usage_events SET raw = (1 = 1) WHERE event_id = 'u-2'", "customer ACME, event “u-2”"),
        (
            "UPDATE meters SET aggregation = 'max'",
            *(f"customer ACME, event “u-{number}”" for number in (1, 2, 3)),
        ),
    ],
    "Every event of usage has its identity, and every identity its event, here or in an archive": [
        ("DELETE FROM usage_event_keys WHERE event_id = 'u-2'", "customer ACME, event “u-2”"),
        ("DELETE FROM usage_events WHERE event_id = 'u-1'", "customer ACME, event “u-1”"),
        (
            "UPDATE usage_event_keys SET occurred_at = (SELECT max(occurred_at) FROM usage_events)"
            " WHERE event_id = 'u-2'",
            "customer ACME, event “u-2”",
        ),
    ],
    "Each event of usage has the content that its digest was made of": [
        ("UPDATE usage_events SET endpoint = '/v2' WHERE event_id = 'u-1'", "customer ACME, event “u-1”"),
        ("UPDATE usage_events SET quantity = quantity + 1 WHERE event_id = 'u-2'", "customer ACME, event “u-2”"),
        ("UPDATE usage_events SET response_time = NULL WHERE event_id = 'u-3'", "customer ACME, event “u-3”"),
        ("UPDATE usage_event_keys SET digest = 'f00d' WHERE event_id = 'u-3'", "customer ACME, event “u-3”"),
        ("UPDATE meters SET code = 'calls'", *(f"customer ACME, event “u-{number}”" for number in (1, 2, 3))),
    ],
    "Each archive's totals are those with which it was made": [
        ("UPDATE usage_days SET whole = 2 WHERE archive_id <> 0 AND zone_kind = 'utc'", ARCHIVE),
        ("UPDATE usage_days SET \"user\" = 'eve' WHERE \"user\" = 'eva'", ARCHIVE),
        ("UPDATE usage_archived_users SET \"user\" = 'eve' WHERE \"user\" = 'eva'", ARCHIVE),
        ("UPDATE usage_archives SET events = 3", ARCHIVE),
        ("UPDATE usage_event_keys SET archive_id = NULL WHERE event_id = 'a-1'", ARCHIVE),
        ("UPDATE usage_days SET archive_id = 7 WHERE archive_id <> 0", ARCHIVE, "archive 7, which is not there"),
    ],
    "The archived calls of a day are as many as the identities of the events that were archived": [
        (
            "UPDATE usage_days SET day = '2026-02-12' WHERE day = '2026-02-11' AND zone_kind = 'utc'",
            "customer ACME, utc day 2026-02-11",
            "customer ACME, utc day 2026-02-12",
        ),
        ("DELETE FROM usage_event_keys WHERE event_id = 'a-1'", "customer ACME, utc day 2026-02-10"),
        (
            "UPDATE usage_event_keys SET withdrawn_at = occurred_at, withdrawn_reason = 'No' WHERE event_id = 'a-2'",
            "customer ACME, utc day 2026-02-11",
        ),
    ],
    "The digest of each day of usage is the sum of those of its events that count": [
        ("UPDATE usage_digests SET word_1 = word_1 + 1 WHERE events = 2", "customer ACME, utc day 2026-03-10"),
        ("UPDATE usage_digests SET events = 3 WHERE events = 2", "customer ACME, utc day 2026-03-10"),
        ("DELETE FROM usage_digests WHERE events = 2", "customer ACME, utc day 2026-03-10"),
        ("UPDATE usage_event_keys SET digest = 'f00d' WHERE event_id = 'u-3'", "customer ACME, utc day 2026-03-10"),
        (
            "UPDATE usage_event_keys SET withdrawn_at = NULL, withdrawn_reason = NULL",
            "customer ACME, utc day 2026-03-08",
        ),
    ],
    "Each payment, its fee and whether it was undone is what was posted": [
        ("UPDATE payments SET amount_minor = 12501 WHERE id = 1", "payment 1"),
        ("UPDATE payments SET fee_minor = 199 WHERE id = 1", "payment 1"),
        ("UPDATE payments SET undone_at = NULL WHERE id = 2", "payment 2"),
        ("UPDATE payments SET undone_at = created_at WHERE id = 3", "payment 3"),
    ],
    "Each invoice's subtotal is the sum of its lines less its discount, and its tax that of each rate": [
        (
            "UPDATE invoice_line_items SET amount_minor = amount_minor + 1 WHERE invoice_id = 1",
            "invoice id 1, INV-2026-001",
        ),
        ("UPDATE invoice_line_items SET tax_rate = 10000 WHERE invoice_id = 1", "invoice id 1, INV-2026-001"),
        ("DELETE FROM invoice_line_items WHERE invoice_id = 4", "invoice id 4, INV-2026-004"),
        ("UPDATE invoices SET discount_minor = 1 WHERE id = 2", "invoice id 2, INV-2026-002"),
        ("UPDATE invoices SET discount_percent = 10000 WHERE id = 2", "invoice id 2, INV-2026-002"),
    ],
    "What each invoice keeps by tax rate adds up to it, and to its lines at that rate": [
        ("UPDATE invoice_taxes SET net_minor = net_minor + 1 WHERE invoice_id = 1", "invoice id 1, INV-2026-001"),
        ("UPDATE invoice_taxes SET tax_minor = tax_minor + 1 WHERE invoice_id = 2", "invoice id 2, INV-2026-002"),
        ("UPDATE invoice_taxes SET tax_rate = 10000 WHERE invoice_id = 3", "invoice id 3, INV-2026-003"),
        ("DELETE FROM invoice_taxes WHERE invoice_id = 4", "invoice id 4, INV-2026-004"),
    ],
    "No line is credited beyond its quantity and its amount": [
        (
            "UPDATE credit_note_lines SET invoice_line_id = 2, quantity = 1000001 WHERE id = 1",
            "credit note CN-2026-001, line 1 of its invoice",
        ),
        (
            "UPDATE credit_note_lines SET invoice_line_id = 2, quantity = 1000000, amount_minor = 5001 WHERE id = 1",
            "credit note CN-2026-001, line 1 of its invoice",
        ),
        (
            "UPDATE credit_note_lines SET invoice_line_id = 1, quantity = 1000000 WHERE id = 1",
            "credit note CN-2026-001, line 0 of its invoice",
        ),
    ],
    "Tax by rate and day, as invoices and credit notes print it, is the tax that was posted": [
        (
            "UPDATE invoice_taxes SET tax_minor = 7 WHERE invoice_id = 1",
            "business 1, 2026-01-01, 0 %: 0.07 USD on documents, 0.00 USD posted",
        ),
        (
            "UPDATE credit_note_lines SET tax_rate = 190000, tax_minor = 5 WHERE credit_note_id = 1",
            "business 1, 2026-01-02, 19 %: -0.05 USD on documents, 0.00 USD posted",
        ),
    ],
    "Each credit note, and whether it was withdrawn, is what was posted of revenue and tax": [
        ("UPDATE credit_notes SET subtotal_minor = 499, total_minor = 499 WHERE id = 1", "credit note CN-2026-001"),
        ("UPDATE credit_notes SET tax_minor = 1, total_minor = 501 WHERE id = 1", "credit note CN-2026-001"),
        ("UPDATE credit_notes SET withdrawn_entry_id = entry_id WHERE id = 1", "credit note CN-2026-001"),
        ("UPDATE credit_notes SET withdrawn_at = created_at WHERE id = 1", "credit note CN-2026-001"),
    ],
    "Each refund is what was posted, and what each invoice keeps as refunded": [
        ("UPDATE refunds SET amount_minor = 2999 WHERE id = 1", "refund 1", "invoice id 1, INV-2026-001"),
        ("UPDATE invoices SET refunded_minor = 2999 WHERE id = 1", "invoice id 1, INV-2026-001"),
        ("UPDATE refunds SET amount_minor = 99 WHERE id = 2", "refund 2"),
    ],
    "Each chargeback, and what of it came back or was written off, is what was posted": [
        ("UPDATE chargebacks SET amount_minor = 99 WHERE id = 1", "chargeback 1"),
        ("UPDATE chargebacks SET discount_minor = 1 WHERE id = 1", "chargeback 1"),
        ("UPDATE chargebacks SET amount_minor = 99, returned_entry_id = entry_id WHERE id = 2", "chargeback 2"),
    ],
    "Nothing is owed on an invoice, or paid of it, before its own day, and never less than nothing": [
        (
            "UPDATE invoices SET issued_on = '2099-01-01', due_on = '2099-01-01' WHERE id = 3",
            "invoice id 3, INV-2026-003",
        ),
        (
            "UPDATE ledger_postings SET effective_on = '2026-01-03' "
            "WHERE account = 'receivable' AND invoice_id = 1 AND amount_minor = 10000",
            "invoice id 1, INV-2026-001",
        ),
    ],
    "What each dispute keeps as its fee is what was posted": [
        ("UPDATE disputes SET fee_minor = 1501", "dispute 1, dp_1"),
    ],
    "No customer has used more credit than they had": [
        ("UPDATE ledger_postings SET amount_minor = 501 WHERE id = 22", "customer 3 with business 1 in USD"),
    ],
    "Each figure about money is the sum of its rows": [
        ("UPDATE invoices SET paid_minor = 1999 WHERE id = 2", "Overdue", "Outstanding: Over 90 days"),
        (
            "UPDATE ledger_days SET amount_minor = 1 WHERE account = 'receivable' AND kind = 'invoice'",
            "Outstanding",
            "Invoiced",
        ),
        ("UPDATE ledger_days SET amount_minor = 1 WHERE account = 'cash' AND kind = 'payment'", "Collected"),
    ],
    "Each order's service is billed once, unless somebody said why it is billed again": [
        (
            "UPDATE invoiced_reports SET again_reason = '' WHERE invoice_id = 7",
            *(f"order {order}, {one}: on draft no. 6 and on draft no. 7" for order, one in TWICE),
        ),
    ],
    "Where an order's service is billed, one invoice keeps all others off": [
        (
            "UPDATE billed_orders SET again = 6 WHERE order_id = 1 AND service_id = 2 AND again = 0",
            "order A-1, Picking: billed again on invoice id 6, and first on none",
            "order A-1, Picking: billed again on invoice id 7, and first on none",
        ),
    ],
    "What is kept as billed of orders is what the lines of invoices bill of their reports": [
        (
            "DELETE FROM billed_orders WHERE order_id = 1 AND service_id = 2 AND again = 0",
            "order id 1, service 2: invoice id 6",
        ),
    ],
    "A report can be invoiced again once its invoice is cancelled or wholly credited, and not before": [
        (
            "UPDATE invoiced_reports SET released_at = '2026-04-02 09:00:00' WHERE invoice_id = 6",
            "report 3 on invoice id 6",
        ),
        ("UPDATE invoices SET state = 'cancelled' WHERE id = 6", "report 3 on invoice id 6"),
    ],
    "Each active payment link asks for what is due, and its invoice leads to it": [
        ("UPDATE payment_links SET amount_minor = 899", "payment link id 1 of INV-2026-004"),
        ("UPDATE payment_links SET currency = 'EUR'", "payment link id 1 of INV-2026-004"),
        ("UPDATE payment_links SET url = 'https://elsewhere.example'", "payment link id 1 of INV-2026-004"),
        ("UPDATE invoices SET payment_url = NULL WHERE id = 4", "payment link id 1 of INV-2026-004"),
        ("UPDATE payment_links SET state = 'deactivated'", "invoice id 4, INV-2026-004, leads to no active link"),
    ],
    "Each charge to a card on file that succeeded has its payment, of the same amount": [
        ("UPDATE charge_attempts SET payment_id = 1", "charge att_1"),
        ("UPDATE charge_attempts SET amount_minor = 701", "charge att_1"),
        ("UPDATE charge_attempts SET currency = 'EUR'", "charge att_1"),
        ("UPDATE charge_attempts SET payment_id = 999", "charge att_1"),
    ],
    "No payment went back in more than it came in": [
        ("UPDATE refunds SET amount_minor = 701 WHERE id = 3", "payment id 3, pay_online"),
        ("UPDATE refunds SET currency = 'EUR' WHERE id = 3", "payment id 3, pay_online"),
    ],
    "What the sandbox keeps as refunded of each payment is the sum of its refunds": [
        ("UPDATE sandbox_charges SET refunded_minor = 299", "payment pi_sandbox_1"),
        ("DELETE FROM sandbox_refunds", "payment pi_sandbox_1"),
    ],
}
