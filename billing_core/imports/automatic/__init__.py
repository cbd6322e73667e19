"""Files that no person looks through first: what they hold is found out, and what is unsure of it is told, with how it
is answered.
"""
