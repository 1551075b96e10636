"""What data centres buy: the models behind each kind of machine, and the systems that run on them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from autorke.sim.fleet import KindName, OsName, Place
from autorke.sim.machine.facts import OsFacts


@dataclass(frozen=True)
class Model:
    """One model as it is bought. Disks in GB, the first one carries the system."""

    vendor: str
    name: str
    cpus: int
    cpu_model: str
    memory_gb: int
    disks: tuple[int, ...]
    gpus: int = 0
    gpu_model: str = ""


_GOLD_6248 = "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz"
_GOLD_6330 = "Intel(R) Xeon(R) Gold 6330 CPU @ 2.00GHz"
_SILVER_4214 = "Intel(R) Xeon(R) Silver 4214 CPU @ 2.20GHz"
_PLATINUM_8358 = "Intel(R) Xeon(R) Platinum 8358 CPU @ 2.60GHz"
_EPYC_7742 = "AMD EPYC 7742 64-Core Processor"

KINDS: dict[KindName, tuple[Model, ...]] = {
    "web": (
        Model("Dell Inc.", "PowerEdge R640", 64, _GOLD_6248, 256, (480, 1920)),
        Model("Inspur", "NF5280M5", 64, _GOLD_6248, 256, (480, 1920)),
        Model("Huawei", "FusionServer 2288H V5", 64, _GOLD_6248, 384, (480, 1920)),
        Model("H3C", "UniServer R4900 G5", 112, _GOLD_6330, 512, (960, 3840)),
    ),
    "compute": (
        Model("Lenovo", "ThinkSystem SR665", 256, _EPYC_7742, 1024, (960, 3840)),
        Model("Dell Inc.", "PowerEdge R7525", 256, _EPYC_7742, 1024, (960, 3840)),
    ),
    "storage": (
        Model("Huawei", "FusionServer 2288H V5", 48, _SILVER_4214, 192, (480, 8000, 8000)),
        Model("Inspur", "NF5466M5", 48, _SILVER_4214, 192, (480, 16000, 16000, 16000)),
    ),
    "gpu": (
        Model("Inspur", "NF5468M6", 128, _PLATINUM_8358, 1024, (960, 3840), 8, "NVIDIA A100-SXM4-80GB"),
        Model("Inspur", "NF5688M7", 192, _PLATINUM_8358, 2048, (960, 7680), 8, "NVIDIA H800"),
    ),
    "inference": (
        Model("H3C", "UniServer R5300 G5", 96, _GOLD_6330, 512, (960, 3840), 8, "NVIDIA L40S"),
        Model("Dell Inc.", "PowerEdge R740xd", 64, _GOLD_6248, 384, (480, 1920), 4, "Tesla T4"),
    ),
    "small": (Model("H3C", "R4900 G3", 32, _GOLD_6248, 128, (480,)),),
}
SYSTEMS: dict[OsName, tuple[OsFacts, str]] = {
    "debian11": (
        OsFacts(version_id="11", pretty_name="Debian GNU/Linux 11 (bullseye)", codename="bullseye"),
        "5.10.0-28-amd64",
    ),
    "debian12": (OsFacts(), "6.1.0-18-amd64"),
    "ubuntu20": (
        OsFacts(id="ubuntu", version_id="20.04", pretty_name="Ubuntu 20.04.6 LTS", id_like="debian", codename="focal"),
        "5.4.0-173-generic",
    ),
    "ubuntu22": (
        OsFacts(id="ubuntu", version_id="22.04", pretty_name="Ubuntu 22.04.4 LTS", id_like="debian", codename="jammy"),
        "5.15.0-101-generic",
    ),
    "centos7": (
        OsFacts(id="centos", version_id="7", pretty_name="CentOS Linux 7 (Core)", id_like="rhel fedora", codename=""),
        "5.4.268-1.el7.elrepo.x86_64",
    ),
    "rocky9": (
        OsFacts(
            id="rocky",
            version_id="9.3",
            pretty_name="Rocky Linux 9.3 (Blue Onyx)",
            id_like="rhel centos fedora",
            codename="",
        ),
        "5.14.0-362.24.1.el9_3.x86_64",
    ),
}


def model_of(kind: KindName, seed: int, place: Place, rack: int) -> Model:
    """The model in a rack: a rack is filled in one purchase, so its machines of one kind are alike."""
    dice = random.Random(f"{seed}/{kind}/{place.idc}/{place.room}/{rack}")  # noqa: S311 - variety, not secrets
    return dice.choice(KINDS[kind])
