"""The real api behind a real port, and people at terminals: what the command line's tests talk to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from autorke.cli.app import app as cli
from autorke.users.access import Role
from autorke.workflow import outbox
from tests.api import Api
from tests.workflow.conftest import Desk
from tests.workflow.toy import WORLD

RUNNER = CliRunner()


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application on a free loopback port; its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)  # who comes before the server has begun waits in line
        settings = uvicorn.Config(app, log_level="error", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)


@dataclass
class Person:
    """Somebody signed in at a terminal of his own."""

    site: Site
    token: str
    home: Path
    user_id: UUID

    def run(self, *words: str, text: str = "", lang: str = "en_US.UTF-8", **environment: str) -> Result:
        """`autorke WORDS`; `text` is what is typed or piped in."""
        who = {"AUTORKE_URL": self.site.url, "AUTORKE_TOKEN": self.token}
        return self.site.run(*words, text=text, lang=lang, home=self.home, **{**who, **environment})

    def ok(self, *words: str, **more: Any) -> Result:
        result = self.run(*words, **more)
        assert result.exit_code == 0, (result.stdout, result.stderr, result.exception)
        return result

    def json(self, *words: str, **more: Any) -> Any:
        return json.loads(self.ok(*words, "--json", **more).stdout)


@dataclass
class Site:
    """One AutoRke: its url, its database, and the hands of a worker."""

    api: Api
    url: str
    home: Path
    desk: Desk = field(default_factory=Desk)

    def person(self, name: str, *roles: Role) -> Person:
        user_id = self.api.user(name, *roles)
        return Person(self, self.api.token(user_id), self.home / name, user_id)

    def run(self, *words: str, text: str = "", lang: str = "en_US.UTF-8", home: Path, **environment: str) -> Result:
        variables = {
            "XDG_CONFIG_HOME": str(home),
            "LC_ALL": lang,
            "AUTORKE_URL": "",
            "AUTORKE_TOKEN": "",
            **environment,
        }
        return RUNNER.invoke(cli, list(words), input=text, env=variables)

    def toy(self, requester: Person, key: str | None = None, **request: Any) -> UUID:
        """A ticket of the toy flow, asked for by this person."""
        self.desk.requester = requester.user_id
        return self.desk.submit(key, **request)

    def work(self) -> None:
        """What workers would do now."""
        self.desk.work()


@contextmanager
def standing(api: Api, home: Path) -> Iterator[Site]:
    outbox._transport.clear()  # no broker: `work` is the worker
    WORLD.reset()
    with served(api.app) as url:
        yield Site(api, url, home)
    WORLD.reset()
