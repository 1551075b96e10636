"""The autorke command line."""
