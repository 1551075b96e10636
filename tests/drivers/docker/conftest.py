"""A real sshd for every test of the Docker driver."""

from tests.sshd import make_sshd, plain_user, sshd

__all__ = ["make_sshd", "plain_user", "sshd"]
