"""The billing engine: everything that decides. Pages and web routes only translate."""

# As in pyproject.toml.
VERSION = "0.1.0"
