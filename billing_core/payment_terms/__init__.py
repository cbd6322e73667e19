"""Payment terms as data: reading them from text, the dates that they give, and how they are written on documents."""
