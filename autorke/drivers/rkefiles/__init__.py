"""The files of an rke cluster: cluster.yml, cluster.rkestate and the copy of the state inside Kubernetes."""
