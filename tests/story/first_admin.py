"""Prints the password of a first admin, made as the command line makes it."""

from __future__ import annotations

from autorke.core.db import transaction
from autorke.flows import wiring  # noqa: F401  brings every table that users refer to
from autorke.users import service


def main() -> None:
    with transaction() as session:
        made = service.create_first_admin(session)
    print(made)  # noqa: T201


if __name__ == "__main__":
    main()
