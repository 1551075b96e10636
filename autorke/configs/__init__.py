"""Versioned cluster.yml and rkestate: config and state revisions."""
