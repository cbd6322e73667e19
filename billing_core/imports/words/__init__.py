"""Words of files whose values are few (statuses, countries, currencies …): what is understood, asked and answered."""
