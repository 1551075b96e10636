"""Every slice's models, so that `Base.metadata` is complete before Alembic looks at it."""

from autorke.clusters import models as clusters
from autorke.cmdb import models as cmdb
from autorke.configs import models as configs
from autorke.credentials import models as credentials
from autorke.machines import models as machines
from autorke.stuck import models as stuck
from autorke.tickets import models as tickets
from autorke.users import models as users
from autorke.views import models as views
from autorke.workflow import models as workflow

MODELS = (clusters, cmdb, configs, credentials, machines, stuck, tickets, users, views, workflow)
