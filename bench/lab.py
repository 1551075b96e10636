"""One worker added to the real lab, by us and by stock rke in the same run: seconds, and whom else it touched.

Both begin with the same cluster and the same kind of machine, fresh. Ours waits until the node is Ready; rke returns
when its containers run. `./run lab up` first; without a stock rke (AUTORKE_RKE_BINARY, or rke on PATH) ours is measured
alone.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import CannotRun

LAB = Path(__file__).resolve().parents[1] / "deploy" / "lab"


def run() -> dict[str, Any]:
    """Figures of ours, of rke where there is one, and `ratio` of the seconds (ours / rke)."""
    sys.path.insert(0, str(LAB))  # the lab's own package is no part of the product
    from lablib import adding, settings  # type: ignore[import-not-found]

    _require_lab()
    lab, (ours, theirs) = settings.from_environment(), settings.FREE
    _fresh()
    product = adding.by_product(lab, ours)
    figures = {"events_on_others_ours": product.on_others(ours), "join_seconds_ours": round(product.seconds, 1)}
    rke = settings.rke_binary()
    if rke is None:
        return {**figures, "missing": "no stock rke: set AUTORKE_RKE_BINARY or put rke on PATH to compare with it"}
    _fresh()
    stock = adding.by_rke(lab, rke, theirs)
    _fresh()
    return {
        **figures,
        "events_on_others_rke": stock.on_others(theirs),
        "join_seconds_rke": round(stock.seconds, 1),
        "ratio": round(product.seconds / stock.seconds, 2),
    }


def _require_lab() -> None:
    if subprocess.run([LAB / "lab.sh", "status"], capture_output=True, timeout=60).returncode:
        raise CannotRun("the lab is not up: ./run lab up")


def _fresh() -> None:
    subprocess.run([LAB / "lab.sh", "reset"], check=True, timeout=600)
