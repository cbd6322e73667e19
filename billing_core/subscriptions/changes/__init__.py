"""Changing subscriptions: other terms with what they cost proposed first, pausing, and cancelling."""
