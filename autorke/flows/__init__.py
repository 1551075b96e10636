"""One file is one flow; file order is execution order."""
