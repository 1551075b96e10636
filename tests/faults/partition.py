"""T7: a worker host loses the database while its tools run, for shorter and for longer than others wait for it.

As root the host lives in a network namespace whose link goes down, else its connections pass a proxy that lets nothing
through. One round is one such partition. Its tools go on meanwhile: no other host may start a second one; afterwards
its runner either holds its lease again or is refused and ends.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url, text

from autorke.core import db
from tests.faults import place, servers
from tests.faults.crowd import Crowd, judge
from tests.faults.live import stack, two_people, until
from tests.faults.proxy import between

LEASE = 3.0
GRACE = 4.0
CUT = "2"
"""The host that is cut off."""


def run(seed: int, rounds: int) -> dict[str, Any]:
    with (
        place.seeded(seed) as dice,
        servers.broker() as broker,
        _network() as network,
        servers.database(settings=(*servers.SETTINGS, *network.settings)) as database,
        network.to(database) as url,
        servers.configured(database) as engine,
        stack(
            database, broker, urls={CUT: url}, prefix={CUT: list(network.prefix)}, AUTORKE_TEST_GRACE=str(GRACE)
        ) as live,
    ):
        crowd = Crowd(live, *two_people(live), engine, dice, width=8, longest=6000)
        host = Host(crowd, network)
        for number in range(rounds):  # in turn: others have given it up when it is back, and have not
            host.cut_off(2 * LEASE if number % 2 else 2 * LEASE + GRACE)
        crowd.finish(lambda: crowd.work_for(0.2))
        return {"network": network.kind, "partitions": rounds, **host.figures(), **judge(crowd)}


class Host:
    """What happens to the host that is cut off."""

    def __init__(self, crowd: Crowd, network: Network) -> None:
        self.crowd, self.network = crowd, network
        self.seen: Counter[str] = Counter()

    def cut_off(self, seconds: float) -> None:
        self.crowd.work_for(self.crowd.dice.uniform(0.5, 2))
        runs = until(lambda: self.crowd.work_for(0.2) or self._running(), 180, "something runs on the host")
        self.network.down()
        self.crowd.work_for(seconds)
        self.network.up()
        self.crowd.work_for(LEASE + 2)
        for attempt, state in self._states(runs).items():
            self.seen["taken_away" if state in ("UNKNOWN", "RESOLVED_DONE", "RESOLVED_FAILED") else "kept"] += 1
            self.seen[f"attempt {attempt} lost without a trace"] += int(state == "ABANDONED")
        self.seen["runs_cut_off"] += len(runs)

    def _running(self) -> list[str]:
        sql = "select id::text from step_attempt where state = 'RUNNING' and purpose = 'RUN' and runner_id = :host"
        with self.crowd.engine.connect() as connection:
            return list(connection.execute(text(sql), {"host": f"host-{CUT}"}).scalars())

    def _states(self, runs: list[str]) -> dict[str, str]:
        with self.crowd.engine.connect() as connection:
            rows = connection.execute(
                text("select id::text, state from step_attempt where id::text = any(:ids)"), {"ids": runs}
            )
            return {row[0]: row[1] for row in rows}

    def figures(self) -> dict[str, int]:
        figures = {name: count for name, count in self.seen.items() if count}
        assert not [name for name in figures if "without a trace" in name], figures
        return figures


class Network:
    """The way of one host to the database. `settings` are the server's, `prefix` comes before the host's commands."""

    kind = "proxy"
    settings: tuple[str, ...] = ()
    prefix: tuple[str, ...] | list[str] = ()

    def __init__(self) -> None:
        self.down: Callable[[], None]
        self.up: Callable[[], None]

    @contextmanager
    def to(self, database: servers.Server) -> Iterator[str]:
        """The server's URL as the host knows it."""
        way = database.sockets.parent / "way"
        way.mkdir()
        with between(way / ".s.PGSQL.5432", str(database.sockets / ".s.PGSQL.5432")) as proxy:
            self.down, self.up = (lambda: proxy.set("hole")), (lambda: proxy.set("pass"))
            yield database.url.replace(str(database.sockets), str(way))


class Namespace(Network):
    """A network namespace with one link to this host; the server listens at our end of it."""

    kind = "network namespace"

    def __init__(self) -> None:
        self.name = f"arke{os.getpid()}"
        subnet = os.getpid() % 250
        self.ours, self.theirs = f"10.213.{subnet}.1", f"10.213.{subnet}.2"
        self.settings = (f"listen_addresses={self.ours}", "port=5432")
        self.prefix = ["ip", "netns", "exec", self.name]
        self.down = lambda: _ip("link", "set", f"v{self.name}", "down")
        self.up = lambda: _ip("link", "set", f"v{self.name}", "up")

    def make(self) -> None:
        _remove_those_of_the_dead()
        _ip("netns", "add", self.name)
        _ip("link", "add", f"v{self.name}", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _ip("addr", "add", f"{self.ours}/30", "dev", f"v{self.name}")
        _ip("link", "set", f"v{self.name}", "up")
        for words in (
            ("addr", "add", f"{self.theirs}/30", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", self.name, *words)

    def remove(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=False)

    @contextmanager
    def to(self, database: servers.Server) -> Iterator[str]:
        hba = next(database.sockets.parent.glob("pg/*/pg_hba.conf"))
        with hba.open("a") as rules:
            rules.write(f"\nhost all all {self.theirs}/32 scram-sha-256\n")
        engine = db.make_engine(database.url)
        with engine.connect() as connection:
            connection.execute(text("select pg_reload_conf()"))
        engine.dispose()
        url = make_url(database.url).difference_update_query(["host"]).set(host=self.ours, port=5432)
        yield url.render_as_string(hide_password=False)


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def _remove_those_of_the_dead() -> None:
    """A test that was killed leaves its namespace behind, perhaps with our addresses; its name has its pid."""
    for name in re.findall(r"^arke(\d+)\b", _ip("netns", "list"), re.MULTILINE):
        if not Path("/proc", name).exists():
            subprocess.run(["ip", "netns", "del", f"arke{name}"], check=False)


@contextmanager
def _network() -> Iterator[Network]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        yield Network()
        return
    network = Namespace()
    try:
        try:
            network.make()
        except subprocess.CalledProcessError:
            yield Network()
            return
        yield network
    finally:
        network.remove()
