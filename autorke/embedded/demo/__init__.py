"""The demo: `life` starts it, `seed` brings machines and clusters in, `history` makes tickets of every outcome."""
