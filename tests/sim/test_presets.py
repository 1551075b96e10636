"""The demo's fleet is as big and as varied as it says, and the reduced one has what the demo's history needs."""

from __future__ import annotations

from collections import Counter

import pytest

from autorke.embedded.demo.chapters import LANES
from autorke.sim import fleet as fleets
from autorke.sim.build import Built, build
from autorke.sim.cmdb import Cmdb, Row
from autorke.sim.fleet import Fleet, MachineGroup
from autorke.sim.record import Record
from autorke.sim.rke.versions import line_of
from autorke.sim.world import Login, World


def world_of(fleet: Fleet) -> tuple[World, Built]:
    login = Login(frozenset({fleet.user}), "ssh-ed25519 AAAA", "")
    world = World(fleet.seed, login, 2222, fleet.timing, Record())
    return world, build(world, fleet, 64, "/nowhere/id_ed25519", {})


@pytest.fixture(scope="module")
def demo() -> tuple[World, Built]:
    return world_of(fleets.preset("demo"))


@pytest.fixture(scope="module")
def rows(demo: tuple[World, Built]) -> list[Row]:
    world, built = demo
    fleet = fleets.preset("demo")
    return list(Cmdb(world, fleet.cmdb, built.machines, fleet.user).rows.values())


def test_two_thousand_machines_of_several_kinds_and_places(rows: list[Row]) -> None:
    assert len(rows) == 2000
    for field, least in {"idc": 4, "room": 8, "rack": 60, "vendor": 5, "model": 9, "os_version": 6, "owner": 6}.items():
        assert len({row[field] for row in rows}) >= least, field
    assert len({row["department"] for row in rows}) >= 6
    assert {row["gpu_model"] for row in rows} >= {"", "NVIDIA A100-SXM4-80GB", "NVIDIA H800", "NVIDIA L40S", "Tesla T4"}
    assert Counter(row["status"] for row in rows)["fault"] >= 10


def test_a_rack_was_bought_at_once_and_no_two_machines_are_in_one_place(demo: tuple[World, Built]) -> None:
    _, built = demo
    models: dict[tuple[object, ...], set[str]] = {}
    for machine in built.machines:
        models.setdefault((machine.place.room, machine.rack, machine.kind), set()).add(machine.model.name)
    assert all(len(found) == 1 for found in models.values())
    assert max(Counter((m.place.idc, m.place.room, m.rack, m.unit) for m in built.machines).values()) == 1


def test_four_clusters_and_the_visitors_own(demo: tuple[World, Built]) -> None:
    _, built = demo
    specs = [made.spec for made in built.clusters]
    assert [spec.name for spec in specs] == ["bj-core", "sh-flat", "gz-ai", "bj-legacy", "hz-lab"]
    assert [spec.name for spec in specs if spec.flat_network] == ["sh-flat"]
    lines = [line_of(spec.version) for spec in specs]
    assert len(set(lines)) == len(lines)
    assert min(lines) < 24 <= max(lines), "dockershim and cri-dockerd"
    assert 950 <= sum(spec.masters + spec.workers for spec in specs) <= 1050
    assert sum(1 for machine in built.machines if machine.cluster) == sum(s.masters + s.workers for s in specs)


def test_some_machines_are_dark_and_the_cmdb_is_wrong_about_some(demo: tuple[World, Built], rows: list[Row]) -> None:
    world, built = demo
    dark = {name for name, host in world.hosts.items() if host.dead}
    assert {machine.host.name for machine in built.machines if machine.faulty} == dark
    true = {machine.host.address: machine for machine in built.machines}
    wrong = [row for row in rows if row["ip"] in true and true[row["ip"]].contradicts]
    assert len(wrong) >= 10
    for row in wrong:
        facts = true[row["ip"]].host.facts
        said = (row["hostname"], row["memory_gb"] * 1024, row["cpu_cores"], row["os_version"], row["docker_version"])
        is_so = (facts.hostname, facts.memory_mb, facts.cpus, facts.os.version_id, facts.docker.version)
        assert sum(a != b for a, b in zip(said, is_so, strict=True)) == 1


@pytest.mark.parametrize("name", ["demo", "demo-small"])
def test_the_history_finds_its_machines(name: str) -> None:
    """Each chapter has a cluster that takes tickets, and healthy machines of its own; the visitor's cluster is left."""
    fleet = fleets.preset(name)
    clusters = {spec.name: spec for spec in fleet.clusters}
    healthy = {f"{g.prefix}-{n:03d}" for g in fleet.machines for n in range(1, g.count + 1) if n not in g.faulty}
    chapters = [chapter for lane in LANES for chapter in lane]
    assert all(not clusters[chapter.cluster].flat_network for chapter in chapters)
    assert "hz-lab" not in {chapter.cluster for chapter in chapters}
    assert all(len({chapter.cluster for chapter in lane}) == 1 for lane in LANES)
    wanted = [machine for chapter in chapters for machine in chapter.machines]
    assert len(set(wanted)) == len(wanted)
    for chapter in chapters:
        least = 2 if chapter.key == "long" else len(chapter.machines)
        assert len(set(chapter.machines) & healthy) >= least, chapter.key


def test_the_reduced_fleet_has_the_names_of_the_whole_one() -> None:
    whole, reduced = fleets.preset("demo"), fleets.preset("demo-small")
    assert [(c.name, c.version, c.flat_network) for c in whole.clusters] == [
        (c.name, c.version, c.flat_network) for c in reduced.clusters
    ]
    assert {group.prefix for group in reduced.machines} <= {group.prefix for group in whole.machines}


def test_a_number_of_no_machine_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 3"):
        MachineGroup(prefix="m", count=3, faulty=(4,))
