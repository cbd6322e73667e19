"""A made-up fulfilment company with eighteen months behind it, so that every page has something honest to show."""

from billing_core.demo.accounts import DemoAccount, add_accounts, new_accounts
from billing_core.demo.service import Filled, fill, unfinished

__all__ = ["DemoAccount", "Filled", "add_accounts", "fill", "new_accounts", "unfinished"]
