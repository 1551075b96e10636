"""A wheel without the console would be half a product: refuse to build one. It never builds the console itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleIsBuilt(BuildHookInterface):
    """Editable installs (every `uv sync`) need no console."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  hatch's signature
        index = Path(self.root) / "autorke" / "web" / "dist" / "index.html"
        if version != "editable" and not index.exists():
            raise RuntimeError("the console is not built: run `./run ui build` first")
