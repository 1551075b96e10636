"""The Kubernetes API of a simulated cluster: object store, HTTPS server, nodes that come and go with their kubelets."""
