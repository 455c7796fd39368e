"""Addresses and settings as other tools write them."""
