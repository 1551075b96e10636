"""`python -m autorke.sim --preset small --state-dir DIR`: run a simulation until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import yaml
from pydantic import ValidationError

from autorke.sim import fleet as fleets
from autorke.sim.places import NoRoom
from autorke.sim.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m autorke.sim", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--fleet", type=Path, help="YAML file that describes the fleet")
    source.add_argument("--preset", choices=fleets.presets(), help="a fleet that comes with the simulator")
    parser.add_argument(
        "--state-dir", type=Path, required=True, help="where index.json, keys, journal and cluster files go"
    )
    parser.add_argument("--listen", default="127.0.0.1", help="address of CMDB, VCalico, OIDC and control (loopback)")
    parser.add_argument("--port", type=int, default=0, help="first of four ports for them; 0 picks free ones")
    args = parser.parse_args()
    try:
        fleet = fleets.load(args.fleet) if args.fleet else fleets.preset(args.preset)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        print(f"sim: {error}", file=sys.stderr)  # noqa: T201 - the command line's own output
        return 2
    try:
        return asyncio.run(run(fleet, args.state_dir, args.listen, args.port))
    except NoRoom as error:
        print(f"sim: {error}", file=sys.stderr)  # noqa: T201 - the command line's own output
        return 1


if __name__ == "__main__":
    sys.exit(main())
