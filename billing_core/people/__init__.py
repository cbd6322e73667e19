"""What can be done about people: invite, sign in, change, deactivate. Right of the audit log, which it writes."""
