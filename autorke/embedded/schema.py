"""Make a database ready for the product: the newest migration, and somebody who may sign in.

Also for `python -m autorke migrate` and `admin` against an outside server.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.orm import Session

import autorke
import autorke.clusters.models  # a role may point at a cluster: the table must be known
from autorke.users.service import create_first_admin

ADVISORY_LOCK = 0x617574
"""Several hosts may start at once: one migrates, the others wait and find nothing to do."""


def upgrade(url: str) -> None:
    """`alembic upgrade head`, in this process."""
    config = Config(Path(autorke.__file__).parents[1] / "alembic.ini")
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 30})
    with engine.connect() as guard:
        guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        guard.commit()
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    engine.dispose()


def first_admin(url: str) -> str | None:
    """The password of the first admin, made now; None when the database knows somebody already."""
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 30})
    with Session(engine) as session, session.begin():
        password = create_first_admin(session)
    engine.dispose()
    return password
