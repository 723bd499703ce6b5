"""Settings of the service, each from a ``DYAD_*`` environment variable or given by the caller.

``Settings(home=some_folder)`` is enough for a test; ``Settings()`` is what ``python -m backend`` uses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = ["Settings"]

LOOPBACK = "127.0.0.1"


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Texts; in the environment with commas between."""


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class Settings(BaseSettings):
    """Where the service keeps its data, where it listens and how much it takes.

    Attributes:
        home: folder of the SQLite database and the server's lock; made when missing (``DYAD_HOME``).
        database_url: SQLAlchemy address of another database, for example
            ``postgresql://user:password@host/name`` (``DYAD_DATABASE_URL``); default is SQLite in ``home``.
        host: address to listen on (``DYAD_HOST``).
        port: port of the service (``DYAD_PORT``).
        dashboard_port: port of the dashboard that ``dyad up`` starts (``DYAD_DASHBOARD_PORT``).
        api_url: where clients find the service (``DYAD_API_URL``).
        max_body_bytes: largest request body that is read (``DYAD_MAX_BODY_BYTES``).
        max_upload_bytes: largest uploaded file (``DYAD_MAX_UPLOAD_BYTES``).
        max_matrix_bytes: largest matrix that is read from one, in bytes as float32, float64 where the file has that
            (``DYAD_MAX_MATRIX_BYTES``).
        api_token: a token with every right, which turns authentication on (``DYAD_API_TOKEN``); `dyad tokens` makes more.
        cors_origins: web pages whose scripts may use the service (``DYAD_CORS_ORIGINS``, commas between); none by default.
        allowed_hosts: further names that the service answers under, ``*.lab.example`` for all below one
            (``DYAD_ALLOWED_HOSTS``, commas between).
        reads_per_minute, writes_per_minute: how many requests of one client are served in a minute, 0 for any number
            (``DYAD_READS_PER_MINUTE``, ``DYAD_WRITES_PER_MINUTE``).
        streams_per_client: how many event streams one client may hold, 0 for any number (``DYAD_STREAMS_PER_CLIENT``).
        executor: ``local`` runs jobs on this machine, ``ray`` on a Ray cluster (``DYAD_EXECUTOR``).
        ray_address: where that cluster's head takes clients, for example ``127.0.0.1:10001`` (``DYAD_RAY_ADDRESS``).
        workers: how many jobs that are no measurement run at once on this machine (``DYAD_WORKERS``).
        queue_limit: how many jobs may wait; further ones are refused with 429 (``DYAD_QUEUE_LIMIT``).
        client_queue_limit: how many of them may be one client's; None leaves it at ``queue_limit``
            (``DYAD_CLIENT_QUEUE_LIMIT``).
        job_time_limit_s: most seconds a job may run that brings no limit of its own; None for no limit
            (``DYAD_JOB_TIME_LIMIT_S``).
        job_memory_limit_bytes: the same for the resident memory of each of its processes
            (``DYAD_JOB_MEMORY_LIMIT_BYTES``).
        log_level: the least that is logged: ``debug``, ``info``, ``warning`` or ``error`` (``DYAD_LOG_LEVEL``).
        log_format: ``json``, ``text``, or ``auto``: text on a terminal, JSON elsewhere (``DYAD_LOG_FORMAT``).
        min_free_bytes: how much of the disk of ``home`` must be free for the service to be ready
            (``DYAD_MIN_FREE_BYTES``).
        reference_runs: whether the results that ship with the library are shown (``DYAD_REFERENCE_RUNS``).
    """

    model_config = SettingsConfigDict(env_prefix="DYAD_", extra="ignore")

    home: Path = Path(".dyad")
    database_url: str | None = None
    host: str = LOOPBACK
    port: int = Field(default=8000, ge=0, le=65535)
    dashboard_port: int = Field(default=8501, ge=0, le=65535)
    api_url: str = "http://127.0.0.1:8000"
    max_body_bytes: int = Field(default=16 * 2**20, ge=1024)
    max_upload_bytes: int = Field(default=4 * 2**30, ge=1024)
    max_matrix_bytes: int = Field(default=2**30, ge=1024)
    api_token: SecretStr | None = None
    cors_origins: Listed = ()
    allowed_hosts: Listed = ()
    reads_per_minute: int = Field(default=30_000, ge=0)
    writes_per_minute: int = Field(default=6_000, ge=0)
    streams_per_client: int = Field(default=256, ge=0)
    executor: Annotated[Literal["local", "ray"], BeforeValidator(_lower)] = "local"
    ray_address: str | None = None
    workers: int = Field(default=2, ge=1)
    queue_limit: int = Field(default=100, ge=1)
    client_queue_limit: int | None = Field(default=None, ge=1)
    job_time_limit_s: float | None = Field(default=None, gt=0)
    job_memory_limit_bytes: int | None = Field(default=None, ge=2**20)
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    log_format: Annotated[Literal["auto", "json", "text"], BeforeValidator(_lower)] = "auto"
    min_free_bytes: int = Field(default=256 * 2**20, ge=0)
    reference_runs: bool = True

    @property
    def resolved_database_url(self) -> str:
        """The database address: the given one, or SQLite in ``home``; PostgreSQL always through psycopg 3."""
        if not self.database_url:
            return f"sqlite:///{(self.home / 'dyad.sqlite3').absolute()}"
        scheme, separator, rest = self.database_url.partition("://")
        if scheme in ("postgres", "postgresql"):
            scheme = "postgresql+psycopg"
        return f"{scheme}{separator}{rest}"
