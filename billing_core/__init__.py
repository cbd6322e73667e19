"""The billing engine: everything that decides. Pages and web routes only translate."""
