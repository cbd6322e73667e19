"""Whether the tests would notice: small faults put into the modules where money is decided. ``make mutants`` tells.

No tool that exists did all that is needed here. mutmut changes functions alone, while much of what decides here is an
expression or a table at a module's top, and its runs at once would share one database; cosmic-ray runs one command for
every mutant, each from nothing, which takes longer than most tests; neither draws the same sample again after lines
have moved, nor keeps reasons beside what cannot be noticed.
"""
