"""Saved views: what a person has set on a page (filters, order, columns), kept under a name, for oneself or for all."""
