"""Every slice's models, so that `Base.metadata` is complete before Alembic looks at it."""

from importlib import import_module
from importlib.util import find_spec

SLICES = (
    "autorke.users.models",
    "autorke.credentials.models",
    "autorke.machines.models",
    "autorke.configs.models",
    "autorke.clusters.models",
    "autorke.workflow.models",
    "autorke.tickets.models",
    "autorke.integrations.models",
    "autorke.cmdb.models",
)

for name in SLICES:
    package = name.rpartition(".")[0]
    if find_spec(package) and find_spec(name):
        import_module(name)
