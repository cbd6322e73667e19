"""The truth about money: balanced postings that are only ever added to, with two times."""
