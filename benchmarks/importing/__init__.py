"""Measurements of files as they come in: lines of orders, a workbook, a shop's export that holds several kinds."""
