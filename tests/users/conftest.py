from tests.api import api, secret_key  # noqa: F401
