"""Moving many subscriptions to another version of their plan, after notice: rehearsed, told of, withdrawn."""
