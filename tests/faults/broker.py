"""T5: the broker fails over, is flushed, killed, away for 3 s or a minute, cut off, slow, or hands out its answers byte
by byte. Hints only: 0 lost, and none that comes again starts anything twice.

One round is one such fault while tickets run. After each the next hint must be felt again: the time until a new ticket,
signed over the api, has run is measured. During an outage the api must still take an approval with 200.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from tests.faults import place, servers
from tests.faults.brokers import Pair, pair
from tests.faults.crowd import Crowd, judge, median
from tests.faults.live import Live, stack, two_people, until
from tests.faults.proxy import Proxy, between

KINDS = ("failover", "flush", "kill", "outage", "cut", "hole", "slow", "slice", "minute")
OUTAGE_S = 3.0
MINUTE_S = 60.0
READY = "select id::text from step_attempt where state = 'READY'"


def run(seed: int, rounds: int) -> dict[str, Any]:
    with (
        place.seeded(seed) as dice,
        servers.database() as database,
        _proxied() as (brokers, proxy, url),
        servers.configured(database) as engine,
        stack(database, url) as live,
    ):
        crowd = Crowd(live, *two_people(live), engine, dice, width=4, longest=400)
        trouble = Trouble(crowd, brokers, proxy)
        for number in range(rounds):
            trouble.strike(KINDS[number % len(KINDS)])
        crowd.finish(lambda: crowd.work_for(0.1))
        return {**trouble.figures(), **judge(crowd)}


@contextmanager
def _proxied() -> Iterator[tuple[Pair, Proxy, str]]:
    """Two brokers, a proxy before the one that serves, and the broker's URL through it."""
    with pair() as (brokers, folder):
        path, socket = folder / "proxy.sock", brokers.serving.sockets / "valkey.sock"
        with between(path, str(brokers.address)) as proxy:
            yield brokers, proxy, brokers.serving.url.replace(str(socket), str(path))


class Trouble:
    def __init__(self, crowd: Crowd, brokers: Pair, proxy: Proxy) -> None:
        self.crowd, self.brokers, self.proxy = crowd, brokers, proxy
        self.live: Live = crowd.live
        self.dice: random.Random = crowd.dice
        self.struck: Counter[str] = Counter()
        self.resumed: defaultdict[str, list[float]] = defaultdict(list)
        self.gone_on: list[float] = []
        self.opened_meanwhile = self.signed_meanwhile = self.offered_again = 0

    def strike(self, kind: str) -> None:
        self.brokers.back()
        self.crowd.work_for(1.0)
        getattr(self, f"_{kind}")()
        self.struck[kind] += 1
        self.resumed[kind].append(self._until_a_new_ticket_moves())

    def _failover(self) -> None:
        """Hints pile up on both brokers; the stream stalls; workers take them; then the primary dies, and they are
        there again, while those that came since are gone."""
        self.brokers.follow()
        self._workers(signal.SIGSTOP)
        self._opened(1.0)
        self.brokers.wait()
        self.brokers.stream.set("hole")
        self._workers(signal.SIGCONT)
        self._opened(self.dice.uniform(0.5, 2))
        self.offered_again += self.brokers.fail_over()

    def _workers(self, number: int) -> None:
        for host in self.live.per_host:
            self.live.processes[f"celery-{host}"].send_signal(number)

    def _flush(self) -> None:
        with redis.Redis.from_url(self.brokers.serving.url, socket_timeout=5) as client:
            client.flushall()

    def _kill(self) -> None:
        self.brokers.serving.stop(signal.SIGKILL)
        self.brokers.serving.start()

    def _outage(self) -> None:
        self.brokers.serving.stop(signal.SIGKILL)
        self._opened(OUTAGE_S)
        self.brokers.serving.start()

    def _minute(self) -> None:
        """Long enough for every pause between two tries to have grown. Gates that wait are signed half-way."""
        self.crowd.signing = False
        until(lambda: self.crowd.work_for(0.2) or self._gates() > 1, 60, "gates wait for a signature")
        self.brokers.serving.stop(signal.SIGKILL)
        self._opened(MINUTE_S / 2)
        self.crowd.signing = True
        self._opened(MINUTE_S / 2)
        self.brokers.serving.start()
        begun, pending = time.monotonic(), set(self._ask(READY))
        assert pending, "nothing waits for its start"
        until(lambda: self.crowd.work_for(0.05) or not pending & set(self._ask(READY)), 120, "what waited goes on")
        self.gone_on.append(time.monotonic() - begun)

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
        self._opened(OUTAGE_S)
        self.proxy.set("pass")

    def _opened(self, seconds: float) -> None:
        """A ticket is opened and gates are signed while the broker is in trouble: each answer must be a success."""
        refused = Counter(self.crowd.refused)
        opened, signed = len(self.crowd.tickets), self.crowd.signed
        until(lambda: self.crowd.submit() or None, 20, "the api takes a ticket without its broker")
        self.crowd.work_for(seconds)
        assert self.crowd.refused == refused, f"the api refused: {self.crowd.refused - refused}"
        self.opened_meanwhile += len(self.crowd.tickets) - opened
        self.signed_meanwhile += self.crowd.signed - signed

    def _until_a_new_ticket_moves(self) -> float:
        """Seconds from the end of the fault until a ticket that is opened then has begun its first attempt."""
        begun = time.monotonic()
        assert self.crowd.submit([f"own-{self.struck.total()}"])  # of a machine that it need not wait for
        ticket = self.crowd.tickets[-1]
        until(lambda: self._started(ticket), 60, "hints are felt again")
        return time.monotonic() - begun

    def _started(self, ticket: str) -> bool:
        self.crowd.work()
        return bool(self._ask("select 1 from event where ticket_id::text = %s and kind = 'attempt.started'", ticket))

    def _gates(self) -> int:
        return len(self._ask("select id from gate where state = 'OPEN'"))

    def _ask(self, sql: str, *values: str) -> list[Any]:
        with self.crowd.engine.connect() as connection:
            return list(connection.exec_driver_sql(sql, values).scalars())

    def figures(self) -> dict[str, Any]:
        return {
            "faults": dict(self.struck),
            "tickets_opened_meanwhile": self.opened_meanwhile,
            "gates_signed_meanwhile": self.signed_meanwhile,
            "hints_offered_again_after_failovers": self.offered_again,
            "s_until_a_new_ticket_runs_median": median([one for each in self.resumed.values() for one in each]),
            "s_until_a_new_ticket_runs_longest": {kind: round(max(each), 2) for kind, each in self.resumed.items()},
            "s_until_all_went_on_after_a_minute": [round(seconds, 2) for seconds in self.gone_on],
        }
