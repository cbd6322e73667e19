"""Getting paid online: gateways, payment links, the gateways' webhooks, and how their books compare with ours."""
