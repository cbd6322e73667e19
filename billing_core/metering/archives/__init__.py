"""Archives: files that hold a month's events, which are no longer in the database, and the totals that stay of them.

An archive takes the events of one UTC month that are there when it is made. What is told of that month afterwards is
here again, until it is archived in its turn. Totals stay as they were counted, whatever changes later.
"""
