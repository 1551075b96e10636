"""Tickets over the API: create, approve, retry, cancel, logs, stream."""
