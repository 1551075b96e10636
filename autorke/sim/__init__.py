"""Simulated edges: everything outside the product, in one process, on the real wire protocols.

SSH machines with a Docker Engine each, Kubernetes APIs with Calico CRDs, a CMDB, VCalico and an OIDC provider. For
the demo, for scale and fault tests. Product code never imports this package; tests start it with
`autorke.sim.process.start`.
"""
