"""AutoRke: change platform for Kubernetes fleets built with rke."""
