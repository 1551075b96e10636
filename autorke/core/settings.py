"""All settings in one class, read from `AUTORKE_*` variables; unset database and redis URLs mean embedded mode."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from pydantic import Field, IPvAnyNetwork, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """One value per operational choice; durations are `timedelta`, secrets are `SecretStr`."""

    model_config = SettingsConfigDict(env_prefix="AUTORKE_", extra="ignore")

    database_url: SecretStr | None = Field(None, description="postgresql+psycopg://…; unset = embedded")
    redis_url: SecretStr | None = Field(None, description="redis://… or unix://…; unset = embedded")
    data_dir: Path = Field(Path("data"), description="Embedded databases and keys live here, mode 0700")
    secret_key_file: Path | None = Field(None, description="File with the base64 AES-256 key of the secrets")
    secret_key: SecretStr | None = Field(None, description="The same key as a value; the file wins")
    host: str = Field("127.0.0.1", description="Address the api listens on")
    port: int = Field(8000, description="Port the api listens on")
    public_url: str = Field("http://127.0.0.1:8000", description="How people and callbacks reach the api")
    body_limit: int = Field(10_000_000, description="Largest accepted request body in bytes")
    session_ttl: timedelta = Field(timedelta(hours=12), description="Life of a login session")
    lease: timedelta = Field(timedelta(seconds=20), description="A runner that is silent for this long is lost")
    heartbeat: timedelta = Field(timedelta(seconds=5), description="How often a runner renews its lease")
    reconcile_every: timedelta = Field(timedelta(seconds=2), description="Period of the reconciler")
    hint_resend: timedelta = Field(timedelta(seconds=2), description="READY attempts older than this are hinted again")
    gate_ttl: timedelta = Field(timedelta(hours=72), description="An undecided gate expires after this")
    stuck_every: timedelta = Field(
        timedelta(seconds=5), description="How often it is looked for what is stuck (docs/stuck.md); 0 = never"
    )
    stuck_after: timedelta = Field(
        timedelta(seconds=30), description="What machines do within a second is stuck when it takes this long"
    )
    stuck_decision: timedelta = Field(
        timedelta(hours=24), description="A gate or an unknown result that waits this long for a person is overdue"
    )
    stuck_behind: timedelta = Field(
        timedelta(hours=1), description="A ticket that waits this long behind one that nobody moves is told of"
    )
    stuck_callback: timedelta = Field(
        timedelta(hours=4), description="An outside system that has not called back for this long is told of"
    )
    stuck_silence: timedelta = Field(
        timedelta(minutes=10), description="A run that logs nothing for this long is told of"
    )
    stuck_skew: timedelta = Field(timedelta(seconds=5), description="A host's clock may differ from the database's")
    stuck_run_dir: int = Field(32_000_000, description="Bytes that must be free in run_dir of a worker host")
    cookie_secure: bool = Field(False, description="Set the Secure flag on session cookies (behind TLS: yes)")
    cmdb_dir: Path | None = Field(
        None, description="The only directory from which CMDB sources may read files; unset = <data dir>/cmdb"
    )
    launcher_socket: Path | None = Field(None, description="This host's launcher; unset = spawn directly")
    run_dir: Path = Field(Path("/dev/shm"), description="tmpfs for per-attempt private files")  # noqa: S108
    package_sources: dict[str, str] = Field(
        default_factory=dict, description="JSON: variables of the init roles such as autorke_apt_docker_url (air gap)"
    )
    outside_networks: list[IPvAnyNetwork] | None = Field(
        None, description="JSON: the only networks to which CMDB URLs may lead; unset = any but core/outside.py's"
    )
    environment: str = Field("production", description="Shown in logs and on the overview page")


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process-wide settings; tests build their own `Settings(...)` and pass it where it is needed."""
    return Settings()
