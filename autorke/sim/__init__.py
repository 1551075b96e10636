"""Simulated edges: SSH hosts, Docker, Kubernetes, CMDB. Never imported by the product."""
