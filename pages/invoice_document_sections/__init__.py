"""What a draft and a sent invoice have in common: the paper, the totals, sending, the timeline."""
