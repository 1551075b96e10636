"""A broker that can be stopped and started again under the same address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from autorke.embedded.throwaway import running, valkey_server
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
    with valkey_server() as server:
        broker = Broker(server)
        try:
            yield broker
        finally:
            broker.stop()
