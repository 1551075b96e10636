"""Encrypted credentials, write-only over the API."""
