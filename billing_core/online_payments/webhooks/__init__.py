"""Events from the gateways: stored, answered, and applied afterwards."""
