"""The languages that customers are written to in."""
