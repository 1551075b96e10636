"""One simulated machine: its facts, files, shell and SSH server."""
