"""Own supervisor for Postgres, Valkey, api and worker."""
