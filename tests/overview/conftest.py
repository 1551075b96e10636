from tests.api import api, secret_key
from tests.workflow.conftest import desk, world

__all__ = ["api", "desk", "secret_key", "world"]
