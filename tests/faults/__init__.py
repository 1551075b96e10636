"""The fault programme T1-T16 (docs/reliability.md): what must not happen, tried at random and with numbers.

Each part is a module with `run(seed, rounds) -> figures`; it raises AssertionError, with the seed in its text, when
something happened that must not. `./run bench faults` runs all of it, `test_programme.py` a few rounds of each part.
"""
