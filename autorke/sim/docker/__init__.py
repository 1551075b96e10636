"""The Docker Engine of a simulated machine: state, what containers do when started, and the HTTP API."""
