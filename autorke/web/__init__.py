"""FastAPI toolkit; knows no slice."""
