"""The engine: durable steps on Postgres. Knows nothing of rke, Calico or machines."""
