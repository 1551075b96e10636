"""Clusters as stock rke leaves them: cluster.yml, cluster.rkestate, kubeconfig and the containers of every node."""
