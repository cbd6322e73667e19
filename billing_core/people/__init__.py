"""What can be done about people: invite, sign in, change, deactivate. Right of what they may be bound to."""
