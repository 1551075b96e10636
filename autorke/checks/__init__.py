"""Checks of machines and clusters before every change."""
