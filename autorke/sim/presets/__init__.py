"""Fleets that come with the simulator."""
