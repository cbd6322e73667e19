"""Files for programs, /api/v1/imports: posted, checked, confirmed, and what became of them."""
