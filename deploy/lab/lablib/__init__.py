"""The lab: real machines and a real Kubernetes cluster on one computer, for tests that must not trust a simulation.

It shares no code with the product on purpose: what the product computes is checked against what is built here.
"""
