"""The description of the APIs, for programs and for people."""
