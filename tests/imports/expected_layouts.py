"""What the example file of each known layout holds, read by hand."""

ANN, BOB = "ann@example.com", "bob@example.com"

EXPECTED: dict[str, dict[str, list[tuple]]] = {
    "shopify_orders": {
        "customers": [(ANN, "Smith Ltd", "Dublin"), (BOB, "Bob Jones", "Cork")],
        "orders": [
            ("#1001", ANN, "2026-03-02", "shipped"),
            ("#1002", BOB, "2026-03-04", "submitted"),
            ("#1003", ANN, "2026-03-05", "cancelled"),
        ],
        "order-items": [
            ("#1001", "MUG-B", 2),
            ("#1001", "MUG-R", 1),
            ("#1002", "Gift card", 1),
            ("#1003", "MUG-B", 2),
        ],
    },
    "shopify_products": {"products": [("MUG-L", "Blue mug"), ("MUG-S", "Blue mug"), ("card", "Gift card")]},
    "shopify_customers": {
        "customers": [("+353 21 555 0200", "Bob Jones", "Cork"), (ANN, "Smith Ltd", "Dublin")],
    },
    "woocommerce_products": {"products": [("AB-1", "Blue mug"), ("AB-2", "Red mug")]},
    "woocommerce_analytics_orders": {
        "customers": [("Ann Smith", "Ann Smith", ""), ("Bob Jones", "Bob Jones", "")],
        "orders": [
            ("501", "Ann Smith", "2026-03-02", "completed"),
            ("502", "Bob Jones", "2026-03-03", "cancelled"),
        ],
    },
    "woocommerce_order_export": {
        "customers": [(ANN, "Ann Smith", "London"), (BOB, "Jones Ltd", "Manchester")],
        "orders": [("WC-61", ANN, "2026-03-02", "completed"), ("WC-62", BOB, "2026-03-03", "cancelled")],
        "order-items": [("WC-61", "MUG-B", 2), ("WC-61", "MUG-R", 1), ("WC-62", "MUG-R", 1)],
    },
    "woocommerce_advanced_order_export": {
        "customers": [(ANN, "Ann Smith", "Springfield"), (BOB, "Bob Jones", "Chicago")],
        "orders": [("71", ANN, "2026-03-02", "completed"), ("72", BOB, "2026-03-04", "processing")],
        "order-items": [("71", "MUG-B", 2), ("71", "Sticker", 3), ("72", "MUG-R", 1)],
    },
    "amazon_orders": {
        "customers": [(ANN, "Ann Smith", ""), (BOB, "Bob Jones", "")],
        "orders": [("111-1", ANN, "2026-03-02", "submitted"), ("111-2", BOB, "2026-03-04", "submitted")],
        "order-items": [("111-1", "MUG-B", 2), ("111-1", "MUG-R", 1), ("111-2", "MUG-R", 4)],
    },
    "amazon_all_orders": {
        "orders": [("112-1", "SHOP", "2026-03-02", "shipped"), ("112-2", "SHOP", "2026-03-05", "cancelled")],
        "order-items": [("112-1", "MUG-B", 2), ("112-1", "MUG-R", 1), ("112-2", "MUG-R", 0)],
    },
    "amazon_fulfilled_shipments": {
        "customers": [(ANN, "Ann Smith", ""), (BOB, "Bob Jones", "")],
        "orders": [("113-1", ANN, "2026-03-02", "shipped"), ("113-2", BOB, "2026-03-04", "shipped")],
        "order-items": [("113-1", "MUG-B", 2), ("113-2", "MUG-R", 1)],
    },
    "ebay_orders": {
        "customers": [("ann_s", "Ann Smith", "Springfield"), ("bob_j", "Bob Jones", "Chicago")],
        "orders": [("01-1", "ann_s", "2026-03-02", "shipped"), ("01-2", "bob_j", "2026-03-04", "submitted")],
        "order-items": [("01-1", "9002", 1), ("01-1", "MUG-B", 2), ("01-2", "MUG-R", 1)],
    },
    "etsy_order_items": {
        "customers": [("Ann (ann_s)", "Ann Smith", "Springfield"), ("Bob (bob_j)", "Bob Jones", "Chicago")],
        "orders": [("401", "Ann (ann_s)", "2026-03-02", "shipped"), ("402", "Bob (bob_j)", "2026-03-04", "submitted")],
        "order-items": [("401", "8002", 1), ("401", "MUG-B", 2), ("402", "MUG-R", 1)],
    },
    "etsy_orders": {
        "customers": [("Bob Jones", "Bob Jones", "Chicago"), ("ann_s", "Ann Smith", "Springfield")],
        "orders": [("401", "ann_s", "2026-03-02", "shipped"), ("402", "Bob Jones", "2026-03-04", "submitted")],
    },
    "magento_orders": {
        "customers": [(ANN, "Ann Smith", ""), (BOB, "Bob Jones", "")],
        "orders": [("000000601", ANN, "2026-03-02", "completed"), ("000000602", BOB, "2026-03-04", "cancelled")],
    },
    "odoo_sale_orders": {
        "customers": [("Jones Ltd", "Jones Ltd", "Cork"), ("Smith Ltd", "Smith Ltd", "Dublin")],
        "orders": [("S00701", "Smith Ltd", "2026-03-02", "submitted"), ("S00702", "Jones Ltd", "2026-03-04", "draft")],
        "order-items": [("S00701", "MUG-B", 2), ("S00701", "MUG-R", 1), ("S00702", "Sticker", 5)],
    },
    "erpnext_sales_orders": {
        "customers": [("CUST-1", "Smith Ltd", ""), ("CUST-2", "Jones Ltd", "")],
        "orders": [
            ("SAL-ORD-1", "CUST-1", "2026-03-02", "submitted"),
            ("SAL-ORD-2", "CUST-2", "2026-03-04", "completed"),
        ],
        "order-items": [("SAL-ORD-1", "MUG-B", 2), ("SAL-ORD-1", "MUG-R", 1), ("SAL-ORD-2", "MUG-R", 3)],
    },
    "sap_sales_orders": {
        "customers": [("100001", "Smith Ltd", "Dublin"), ("100002", "Jones Ltd", "Cork")],
        "orders": [("801", "100001", "2026-03-02", "submitted"), ("802", "100002", "2026-03-04", "submitted")],
        "order-items": [("801", "MUG-B", 2), ("801", "MUG-R", 1), ("802", "MUG-R", 3)],
    },
    "sap_tables": {
        "customers": [("100001", "Smith Ltd", "Dublin"), ("100002", "Jones Ltd", "Cork")],
        "orders": [("801", "100001", "2026-03-02", "submitted"), ("802", "100002", "2026-03-04", "submitted")],
        "order-items": [("801", "MUG-B", 2), ("802", "MUG-R", 3)],
    },
    "xero_sales_invoices": {
        "customers": [("Jones Ltd", "Jones Ltd", "Cork"), ("Smith Ltd", "Smith Ltd", "Dublin")],
        "orders": [
            ("INV-1", "Smith Ltd", "2026-03-02", "completed"),
            ("INV-2", "Jones Ltd", "2026-03-04", "cancelled"),
        ],
        "order-items": [("INV-1", "MUG-B", 2), ("INV-1", "MUG-R", 1), ("INV-2", "Sticker", 5)],
    },
    "xero_contacts": {"customers": [("C-1", "Smith Ltd", "Dublin"), ("Jones Ltd", "Jones Ltd", "Cork")]},
    "quickbooks_invoices": {
        "customers": [("Jones Ltd", "Jones Ltd", ""), ("Smith Ltd", "Smith Ltd", "")],
        "orders": [
            ("INV-1", "Smith Ltd", "2026-03-02", "submitted"),
            ("INV-2", "Jones Ltd", "2026-03-04", "submitted"),
        ],
        "order-items": [("INV-1", "MUG-B", 2), ("INV-1", "MUG-R", 1), ("INV-2", "Sticker", 5)],
    },
    "netsuite_sales_orders": {
        "customers": [("C-1 Smith Ltd", "C-1 Smith Ltd", ""), ("C-2 Jones Ltd", "C-2 Jones Ltd", "")],
        "orders": [
            ("SO901", "C-1 Smith Ltd", "2026-03-02", "completed"),
            ("SO902", "C-2 Jones Ltd", "2026-03-04", "submitted"),
        ],
        "order-items": [("SO901", "MUG-B", 2), ("SO901", "MUG-R", 1), ("SO902", "MUG-R", 3)],
    },
    "bigcommerce_orders": {
        "customers": [(ANN, "Ann Smith", "Springfield"), (BOB, "Jones Ltd", "Chicago")],
        "orders": [("501", ANN, "2026-03-02", "completed"), ("502", BOB, "2026-03-04", "submitted")],
    },
    "bigcommerce_order_lines": {
        "customers": [(ANN, "Ann Smith", "Springfield"), (BOB, "Jones Ltd", "Chicago")],
        "orders": [("501", ANN, "2026-03-02", "completed"), ("502", BOB, "2026-03-04", "submitted")],
        "order-items": [("501", "MUG-B", 2), ("501", "MUG-R", 1), ("502", "Sticker", 5)],
    },
    "shipstation_orders": {
        "customers": [("Bob Jones", "Bob Jones", "Chicago"), (ANN, "Ann Smith", "Springfield")],
        "orders": [("SS-1", ANN, "2026-03-02", "shipped"), ("SS-2", "Bob Jones", "2026-03-04", "submitted")],
        "order-items": [("SS-1", "MUG-B", 2), ("SS-1", "MUG-R", 1), ("SS-2", "Sticker", 5)],
    },
}
