"""What every page leans on: who is signed in, units of work, figures, tables, charts, filters."""
