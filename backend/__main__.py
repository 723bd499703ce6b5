"""``python -m backend``: the service alone, with the settings of the environment (``DYAD_*``)."""

from __future__ import annotations

import sys

import uvicorn
from pydantic import ValidationError

from backend.app import create_app
from backend.observing.logging import configure_logging, log_uncaught
from backend.ports import check_port
from backend.security import wiring as security
from backend.settings import Settings
from backend.store.database import open_database
from dyad_core.errors import DyadError

KEEP_ALIVE_S = 65  # longer than clients keep idle connections (httpx: 5 s), or they send into one that is being closed
GRACE_S = 5  # for requests under way when the server is asked to stop


def settings_sentence(error: ValidationError) -> str:
    """Say which settings are wrong, one line each."""
    lines = []
    for item in error.errors():
        name = "_".join(str(part) for part in item["loc"]).upper()
        rule = str(item["msg"]).removeprefix("Input ")
        lines.append(f"DYAD_{name} {rule}; received {item['input']!r}.")
    return "\n".join(lines)


def _checked(settings: Settings) -> bool:
    """Whether the service wants tokens; a database or settings that cannot be used end in a sentence."""
    engine = open_database(settings)
    try:
        return security.check(settings, engine)
    finally:
        engine.dispose()


def main() -> int:
    """Serve until asked to stop; wrong settings, a taken port or an unusable database end in a sentence."""
    try:
        settings = Settings()
        configure_logging(settings.log_level, settings.log_format)
        check_port(settings.host, settings.port, "--port or DYAD_PORT")
        has_tokens = _checked(settings)
    except ValidationError as error:
        sys.stderr.write(f"{settings_sentence(error)}\n")
        return 2
    except DyadError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    log_uncaught()
    security.warn(settings.host, settings, has_tokens=has_tokens)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,  # its lines go where ours go
        access_log=False,  # backend.observing.traffic says what is worth a line; a dashboard polls
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
