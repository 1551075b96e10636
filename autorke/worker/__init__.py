"""Celery workers, the launcher and the detached runner of an attempt."""
