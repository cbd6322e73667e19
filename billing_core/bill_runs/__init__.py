"""Bill runs: many customers billed for one period, as reports, drafts or sent invoices, in the background."""
