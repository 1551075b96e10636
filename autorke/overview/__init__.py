"""What pages ask that no slice can answer alone: a machine's story, and the figures of the whole fleet.

Reads only. `machine_story` follows one machine through tickets and audit.
"""
