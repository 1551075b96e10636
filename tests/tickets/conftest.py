from tests.api import api, secret_key
from tests.tickets.office import office
from tests.tickets.scene import scene

__all__ = ["api", "office", "scene", "secret_key"]
