"""The console's client is generated from the API as it is now."""

from __future__ import annotations

import json
from pathlib import Path

from autorke.app import create_app

COMMITTED = Path(__file__).parents[1] / "frontend" / "src" / "api" / "openapi.json"


def test_the_client_knows_the_api_as_it_is() -> None:
    """`./run ui client` writes it anew; that the client follows from it is part of `./run check`."""
    committed, now = json.loads(COMMITTED.read_text()), json.loads(json.dumps(create_app().openapi()))
    for part in ("paths", "components"):
        assert sorted(committed[part]) == sorted(now[part]), "run `./run ui client`"
    assert committed == now, "run `./run ui client`"


def test_no_two_schemas_share_a_name() -> None:
    """FastAPI puts the module before names that stand twice, and the client's types would be called after files."""
    schemas = create_app().openapi()["components"]["schemas"]
    assert [name for name in schemas if name.startswith("autorke__")] == []
