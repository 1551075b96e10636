"""T5: the broker is flushed, killed, away, cut off, slow, or hands out its answers byte by byte. Hints only: 0 lost.

One round is one such fault while tickets run. After each the next hint must be felt again: the time until a new ticket,
signed over the api, has run is measured. During an outage the api must still take an approval with 200.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from tests.faults import place, servers
from tests.faults.crowd import Crowd, judge, median
from tests.faults.live import Live, stack, two_people, until
from tests.faults.proxy import Proxy, between

KINDS = ("flush", "kill", "outage", "cut", "hole", "slow", "slice")
OUTAGE_S = 3.0


def run(seed: int, rounds: int) -> dict[str, Any]:
    with (
        place.seeded(seed) as dice,
        servers.database() as database,
        servers.broker() as broker,
        servers.configured(database) as engine,
        _proxied(broker) as (proxy, url),
        stack(database, url) as live,
    ):
        crowd = Crowd(live, *two_people(live), engine, dice, width=4, longest=400)
        trouble = Trouble(crowd, broker, proxy)
        for number in range(rounds):
            trouble.strike(KINDS[number % len(KINDS)])
        crowd.finish(lambda: trouble.go_on(0.1))
        return {**trouble.figures(), **judge(crowd)}


@contextmanager
def _proxied(broker: servers.Server) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the broker, and the broker's URL through it."""
    path, socket = broker.sockets.parent / "proxy.sock", broker.sockets / "valkey.sock"
    with between(path, str(socket)) as proxy:
        yield proxy, broker.url.replace(str(socket), str(path))


class Trouble:
    def __init__(self, crowd: Crowd, broker: servers.Server, proxy: Proxy) -> None:
        self.crowd, self.broker, self.proxy = crowd, broker, proxy
        self.live: Live = crowd.live
        self.dice: random.Random = crowd.dice
        self.struck: Counter[str] = Counter()
        self.resumed: list[float] = []
        self.signed_meanwhile = 0

    def strike(self, kind: str) -> None:
        self.go_on(1.0)
        getattr(self, f"_{kind}")()
        self.struck[kind] += 1
        self.resumed.append(self._until_a_new_ticket_moves())

    def _flush(self) -> None:
        with redis.Redis.from_url(self.broker.url, socket_timeout=5) as client:
            client.flushall()

    def _kill(self) -> None:
        self.broker.stop(signal.SIGKILL)
        self.broker.start()

    def _outage(self) -> None:
        self.broker.stop(signal.SIGKILL)
        self._sign_meanwhile(OUTAGE_S)
        self.broker.start()

    def _cut(self) -> None:
        self._through("cut")

    def _hole(self) -> None:
        self._through("hole")

    def _slow(self) -> None:
        self._through("slow:300")

    def _slice(self) -> None:
        self._through("slice:1")

    def _through(self, mode: str) -> None:
        self.proxy.set(mode)
        self._sign_meanwhile(OUTAGE_S)
        self.proxy.set("pass")

    def _sign_meanwhile(self, seconds: float) -> None:
        """A ticket is opened and its gate signed while the broker is in trouble: each answer must be a success."""
        refused = Counter(self.crowd.refused)
        before = len(self.crowd.tickets)
        until(lambda: self.crowd.submit() or None, 20, "the api takes a ticket without its broker")
        self.go_on(seconds)
        assert self.crowd.refused == refused, f"the api refused: {self.crowd.refused - refused}"
        self.signed_meanwhile += len(self.crowd.tickets) - before

    def go_on(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.live.keep()
            self.crowd.work()
            time.sleep(0.05)

    def _until_a_new_ticket_moves(self) -> float:
        """Seconds from the end of the fault until a ticket that is opened then has begun its first attempt."""
        begun = time.monotonic()
        assert self.crowd.submit()
        ticket = self.crowd.tickets[-1]
        until(lambda: self._started(ticket), 60, "hints are felt again")
        return time.monotonic() - begun

    def _started(self, ticket: str) -> bool:
        self.crowd.work()
        with self.crowd.engine.connect() as connection:
            sql = "select 1 from event where ticket_id::text = %s and kind = 'attempt.started'"
            return connection.exec_driver_sql(sql, (ticket,)).first() is not None

    def figures(self) -> dict[str, Any]:
        return {
            "faults": dict(self.struck),
            "tickets_opened_meanwhile": self.signed_meanwhile,
            "s_until_a_new_ticket_runs_median": median(self.resumed),
            "s_until_a_new_ticket_runs_max": round(max(self.resumed), 2),
        }
