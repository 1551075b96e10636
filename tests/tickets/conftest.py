from tests.api import api, secret_key
from tests.tickets.scene import scene

__all__ = ["api", "scene", "secret_key"]
