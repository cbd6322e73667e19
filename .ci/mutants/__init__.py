"""Whether the tests would notice: small faults put into the rooms where money is decided. ``make mutants`` tells.

Why it is our own: ``docs/decisions/0009-own-mutants.md``.
"""
