"""What outlives a restart: certificates, the objects of clusters, and every machine that somebody changed.

Machines that nobody touched are built again from the fleet description, so a snapshot stays small. What the switch
broke stays broken; other faults and the counters are not kept.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from autorke.sim.cmdb import NAME as CMDB
from autorke.sim.docker.engine import Container
from autorke.sim.docker.images import image
from autorke.sim.fleet import Fleet
from autorke.sim.machine.facts import Facts
from autorke.sim.machine.files import File
from autorke.sim.machine.host import Host
from autorke.sim.services import Services

FORMAT = 2
FILE = "snapshot.json"


def load(state_dir: Path, fleet: Fleet) -> dict[str, Any] | None:
    """The snapshot of an earlier run of this very fleet; None when there is none that fits."""
    try:
        found = json.loads((state_dir / FILE).read_text())
    except (OSError, ValueError):
        return None
    fits = isinstance(found, dict) and (found.get("format"), found.get("fleet")) == (FORMAT, fleet.digest)
    return found if fits else None


def bundles(snapshot: dict[str, Any] | None) -> dict[str, Any]:
    """Cluster name to its certificatesBundle."""
    return dict(snapshot["bundles"]) if snapshot else {}


def take(services: Services) -> dict[str, Any]:
    """Everything that a restart needs, as JSON."""
    world = services.world
    touched = world.record.touched
    return {
        "format": FORMAT,
        "fleet": services.fleet.digest,
        "bundles": {name: cluster.bundle for name, cluster in world.clusters.items()},
        "clusters": {name: c.store.dump() for name, c in world.clusters.items() if name in touched},
        "hosts": {name: _host(host) for name, host in world.hosts.items() if name in touched},
        "cmdb": services.cmdb.rows if CMDB in touched else None,
        "vcalico": services.vcalico.dump(),
        "broken": services.switch.dump(),
    }


def restore(services: Services, snapshot: dict[str, Any]) -> None:
    """Lay a snapshot over a freshly built world that listens already."""
    world = services.world
    for name, objects in snapshot["clusters"].items():
        world.clusters[name].store.restore(objects)
        world.record.touched.add(name)
    for name, saved in snapshot["hosts"].items():
        _restore_host(world.hosts[name], saved)
        world.record.touched.add(name)
        world.doors[name].settle()
    if snapshot["cmdb"] is not None:
        services.cmdb.rows = snapshot["cmdb"]
        world.record.touched.add(CMDB)
    services.vcalico.restore(snapshot["vcalico"])
    services.switch.restore(snapshot["broken"])


def _host(host: Host) -> dict[str, Any]:
    return {
        "facts": host.facts.model_dump(),
        "dead": host.dead,
        "seed": host.seed.hex(),
        "images": list(host.engine.images),
        "containers": [_container(found) for found in host.engine.all()],
        "files": {path: _file(file) for path, file in host.files.all().items()},
        "folders": sorted(host.files.folders),
    }


def _file(file: File) -> list[Any]:
    return [base64.b64encode(file.data).decode(), file.mode, file.owner, file.modified, file.target]


def _container(found: Container) -> dict[str, Any]:
    ended = found.state == "running" and not found.lasting
    return {
        "id": found.id,
        "name": found.name,
        "body": found.body,
        "image": found.image.name,
        "created": found.created,
        "state": "exited" if ended else found.state,
        "exit_code": found.exit_code,
        "started": found.started,
        "finished": found.finished,
        "logs": [[stream, moment, line.decode(errors="replace")] for stream, moment, line in found.logs[-200:]],
    }


def _restore_host(host: Host, saved: dict[str, Any]) -> None:
    host.facts = Facts.model_validate(saved["facts"])
    host.dead = saved["dead"]
    host.seed = bytes.fromhex(saved["seed"])
    files = {path: File(base64.b64decode(data), *rest) for path, (data, *rest) in saved["files"].items()}
    host.files.restore(files, set(saved["folders"]))
    host.engine.restore([_restored(entry) for entry in saved["containers"]], saved["images"])
    host.kubelet_changed()


def _restored(entry: dict[str, Any]) -> Container:
    return Container(
        id=entry["id"],
        name=entry["name"],
        body=entry["body"],
        image=image(entry["image"]),
        created=entry["created"],
        state=entry["state"],
        exit_code=entry["exit_code"],
        started=entry["started"],
        finished=entry["finished"],
        logs=[(stream, moment, line.encode()) for stream, moment, line in entry["logs"]],
    )
