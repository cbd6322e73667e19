"""The truth about money: balanced, append-only postings with two times."""
