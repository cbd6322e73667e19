"""Subscriptions run by themselves: what the calendar brings, and charges, each in a queue of its own, so that a slow
gateway keeps no period from beginning.
"""
