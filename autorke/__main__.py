"""`python -m autorke COMMAND`: the server side of the product. The command line for people is `autorke`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from autorke.core.settings import Settings, get_settings


def _up(settings: Settings) -> int:
    from autorke.embedded.supervisor import run

    return run(settings)


def _demo(settings: Settings, preset: str, fresh: bool) -> int:
    from autorke.embedded.demo.life import run_demo

    return run_demo(settings, preset, fresh=fresh)


def _migrate(settings: Settings) -> int:
    from autorke.embedded.schema import upgrade

    if settings.database_url is None:
        sys.stderr.write("AUTORKE_DATABASE_URL is not set; `up` migrates the embedded database by itself\n")
        return 2
    upgrade(settings.database_url.get_secret_value())
    return 0


def _admin(settings: Settings) -> int:
    """The password goes to stdout, so that a script can take it."""
    from autorke.embedded.schema import first_admin

    if settings.database_url is None:
        sys.stderr.write("AUTORKE_DATABASE_URL is not set; `up` makes the embedded database's admin by itself\n")
        return 2
    password = first_admin(settings.database_url.get_secret_value())
    if password is None:
        sys.stderr.write("there are users already; an admin adds more over the API\n")
        return 1
    sys.stdout.write(password + "\n")
    return 0


def _api(settings: Settings) -> int:
    import uvicorn

    uvicorn.run(
        "autorke.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=20,
        access_log=False,
    )
    return 0


def _openapi(_settings: Settings) -> int:
    from autorke.app import create_app

    sys.stdout.write(json.dumps(create_app().openapi(), indent=2, ensure_ascii=False) + "\n")
    return 0


COMMANDS: dict[str, tuple[str, Callable[[Settings], int]]] = {
    "up": ("start everything on this machine, databases included unless their URLs are set", _up),
    "migrate": ("bring the database of AUTORKE_DATABASE_URL to the newest schema", _migrate),
    "admin": ("make the first admin and print the password; refused when there are users", _admin),
    "api": ("serve the API", _api),
    "openapi": ("print the API's OpenAPI document", _openapi),
}


def main() -> int:
    """Exit code 0 on success, 1 on a problem told on stderr, 2 on wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m autorke", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="`up` with a simulated fleet, filled with people, machines and clusters")
    demo.add_argument(
        "--preset", choices=("demo", "demo-small", "small"), default="demo", help="which fleet (default: demo)"
    )
    demo.add_argument("--fresh", action="store_true", help="forget the earlier demo of this fleet")
    for name, (text, _) in COMMANDS.items():
        commands.add_parser(name, help=text)
    arguments = parser.parse_args()
    if arguments.command == "demo":
        return _demo(get_settings(), arguments.preset, arguments.fresh)
    return COMMANDS[arguments.command][1](get_settings())


if __name__ == "__main__":
    raise SystemExit(main())
