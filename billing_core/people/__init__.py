"""Managing people: invite, sign in, change, deactivate. Imports customers, to whom people may be bound."""
