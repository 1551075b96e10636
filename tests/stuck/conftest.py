from tests.api import api, secret_key
from tests.stuck.eye import eye
from tests.tickets.office import office

__all__ = ["api", "eye", "office", "secret_key"]
