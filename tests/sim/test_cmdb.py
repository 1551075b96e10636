"""The simulated CMDB, read by the product's own adapter in every page style."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from autorke.integrations.cmdb import CmdbConfig, CmdbMachine, fetch_pages
from autorke.integrations.cmdb.errors import CmdbMalformed, CmdbRefused
from autorke.sim import process
from autorke.sim.process import SimHandle

STYLES = ["page", "offset", "cursor", "link"]


@pytest.fixture(scope="module", params=STYLES)
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimHandle]:
    directory = tmp_path_factory.mktemp(request.param)
    path = directory / "fleet.yml"
    cmdb = {"page_style": request.param, "page_size": 4, "ghosts": 2, "forgets": 1}
    path.write_text(yaml.safe_dump({"machines": [{"prefix": "m", "count": 10}], "cmdb": cmdb}))
    with process.start(path, directory / "state") as handle:
        yield handle


def config(sim: SimHandle) -> CmdbConfig:
    return CmdbConfig.model_validate({"source": sim.index["cmdb"]["source"], "mapping": sim.index["cmdb"]["mapping"]})


def machines(sim: SimHandle, secret: str | None = None) -> list[CmdbMachine]:
    found: list[CmdbMachine] = []
    for page in fetch_pages(config(sim), secret=secret or sim.index["cmdb"]["token"], root=Path("/nowhere")):
        for row in page:
            assert isinstance(row, CmdbMachine), row
            found.append(row)
    return found


def test_the_products_adapter_reads_every_row(fleet: SimHandle) -> None:
    found = {row.values["hostname"]: row.values for row in machines(fleet)}

    assert len(found) == 10 - 1 + 2
    assert "m-010" not in found, "a machine that the CMDB forgot"
    assert found["ghost-000"]["address"].startswith("198.51.100.")
    machine = fleet.machine("m-003")
    row = found["m-003"]
    assert (row["sn"], row["address"], row["host_key"]) == (machine["sn"], machine["address"], machine["host_key"])
    assert (row["ssh_port"], row["ssh_user"]) == (machine["port"], machine["user"])
    facts = fleet.host("m-003")["facts"]
    assert (row["memory_mb"], row["cpu_cores"]) == (facts["memory_mb"], facts["cpus"])


def test_a_wrong_token_is_refused(fleet: SimHandle) -> None:
    with pytest.raises(CmdbRefused):
        machines(fleet, secret="not-the-token")


def test_rows_change_and_vanish(fleet: SimHandle) -> None:
    fleet.cmdb("PATCH", "m-001", owner="someone-else")
    fleet.cmdb("DELETE", "m-002")
    found = {row.values["hostname"]: row.values for row in machines(fleet)}
    assert found["m-001"]["owner"] == "someone-else"
    assert "m-002" not in found


def test_half_an_answer_fails_the_reading(fleet: SimHandle) -> None:
    fleet.fault("cmdb", "garbage", "cmdb", after=1, times=1)
    with pytest.raises(CmdbMalformed):
        machines(fleet)
    fleet.lift()
