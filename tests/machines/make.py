"""Machines for tests: each call makes another one, with the fields a test cares about."""

from __future__ import annotations

import itertools
from typing import Any

from sqlalchemy.orm import Session

from autorke.machines import service
from autorke.machines.models import Machine

_numbers = itertools.count(1)

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1y6n0P4q0uYbUKyD2UVIGsjvc0nTF5TnT6YFjYtq7e"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMh5cK2p4LQ1rTn4hJZ0y1Tq8eXrQe1u2Y3w4v5u6t7s"


def machine(session: Session, **fields: Any) -> Machine:
    number = next(_numbers)
    values = {
        "hostname": f"bm-{number}",
        "address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "sn": f"SN{number:06}",
        **fields,
    }
    made = service.create(session, fields={**values, "internal_address": values.get("internal_address")})
    return made
