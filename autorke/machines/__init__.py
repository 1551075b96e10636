"""Machines: the canonical slice (models, schemas, service, routes)."""
