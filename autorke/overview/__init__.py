"""What pages ask that no slice can answer alone: a machine's story, a cluster at a glance, locks, the fleet in figures.

Reads, and one deed: taking a lock away (`lock_routes`), which the engine decides.
"""
