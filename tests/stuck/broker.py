"""A broker that can be stopped and started again under the same address."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from autorke.embedded.account import database_account, private_directory
from autorke.embedded.binaries import find_valkey, valkey_for
from autorke.embedded.throwaway import running, scratch_directory
from autorke.embedded.valkey import Valkey


class Broker:
    """Runs from its making until `stop`."""

    def __init__(self, server: Valkey) -> None:
        self._server = server
        self._running = ExitStack()
        self.url = server.url()
        self.start()

    def start(self) -> None:
        self._running.enter_context(running(self._server.service()))

    def stop(self) -> None:
        self._running.close()


@contextmanager
def stoppable() -> Iterator[Broker]:
    account = database_account()
    with scratch_directory() as scratch:
        server = Valkey(
            binary=valkey_for(account, find_valkey(), scratch),
            account=account,
            sockets=private_directory(scratch / "run", account),
            log=scratch / "valkey.log",
            password=secrets.token_urlsafe(16),
        )
        broker = Broker(server)
        try:
            yield broker
        finally:
            broker.stop()
