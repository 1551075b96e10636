from tests.api import api, secret_key

__all__ = ["api", "secret_key"]
