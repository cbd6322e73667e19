"""Getting paid online: gateways, payment links, gateway webhooks, and reconciliation with the gateways' books."""
