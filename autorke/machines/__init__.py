"""Every host we know of, free or serving. The slice to read first, and to copy for a new one.

`models` (tables and their rules) → `service` (what can be done, plain functions) → `schemas` and `routes` (the same
over the API). `search` finds, `conflicts` compares what CMDB, machine and cluster say.
"""
