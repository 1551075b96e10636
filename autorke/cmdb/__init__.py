"""CMDB sync: outside inventories become machines, all of an answer or nothing of it."""
