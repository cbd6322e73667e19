"""What the gateways tell us: stored, answered, and applied afterwards."""
