"""What a draft and a sent invoice have in common: the PDF, the totals, sending, the timeline."""
