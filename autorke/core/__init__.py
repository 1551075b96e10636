"""Foundations that know nothing of machines, clusters or tickets."""
