"""Log lines of the service: one JSON object per line for machines, aligned text for a terminal.

Everything goes through the standard library's logging, so that uvicorn, alembic and our own modules
(``logging.getLogger(__name__)``) come out alike; structlog only shapes the lines. Every line has ``timestamp`` (UTC),
``level``, ``logger`` and ``event``, ``request_id`` where there is a request, ``job_id`` where there is a job, and what was
given as ``extra={…}``. Secrets are struck out last, whoever wrote the line.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Literal, TextIO

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import EventDict, Processor

__all__ = ["configure_logging", "job_context", "log_uncaught", "redacted"]

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "text"]

_FIRST = ("timestamp", "level", "logger", "event", "request_id", "job_id")
_OURS = ("backend", "dyad_core")
_SECRET_NAMES = re.compile(r"authorization|cookie|(.*_)?(password|secret|token|api_?key)", re.IGNORECASE)
_SECRETS = (
    (re.compile(r"\b(bearer|basic)(\s+)[\w.~+/=-]+", re.IGNORECASE), r"\1\2…"),
    (re.compile(r"((?:token|password|secret|api_?key)=)[^&\s\"']+", re.IGNORECASE), r"\1…"),
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+@"), r"\1…@"),  # a password inside an address
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def configure_logging(level: Level = "info", style: Format = "auto") -> None:
    """Send every log line to stderr; may be called again.

    Args:
        level: the least that is written by this program; other packages write ``info`` and above at most.
        style: ``auto`` is text where stderr is a terminal, JSON elsewhere.
    """
    handler = _Stderr()
    handler.setFormatter(_formatter(as_json=style == "json" or (style == "auto" and not sys.stderr.isatty())))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Stderr)]:
        root.removeHandler(old)
    root.addHandler(handler)
    number = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(max(number, logging.INFO))
    for name in _OURS:
        logging.getLogger(name).setLevel(number)


@contextlib.contextmanager
def job_context(job_id: str) -> Iterator[None]:
    """Put ``job_id`` on every line that this thread (or task) writes inside the block."""
    with bound_contextvars(job_id=job_id):
        yield


def log_uncaught() -> None:
    """Let warnings and exceptions that nobody catches, in any thread, become log lines too."""
    logging.captureWarnings(True)
    log = logging.getLogger("backend.uncaught")

    def in_thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_type is not SystemExit and found.exc_value is not None:
            name = found.thread.name if found.thread is not None else "unknown"
            log.error("thread %s ended in an unforeseen way", name, exc_info=found.exc_value)

    def in_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("the service ended in an unforeseen way", exc_info=(kind, error, trace))

    threading.excepthook = in_thread
    sys.excepthook = in_main


def redacted(text: str) -> str:
    """``text`` without what looks like a token or a password."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # an attribute there; here it is looked up each time
        return sys.stderr


def _formatter(*, as_json: bool) -> logging.Formatter:
    first: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # text without the values of local variables
    ]
    last: Processor = structlog.processors.JSONRenderer()
    if not as_json:
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), repr_native_str=True, sort_keys=False)
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=[drop, _clean, last])


def _clean(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Put the fixed members first, strike out secrets, and keep what was received on one line."""
    event.pop("color_message", None)  # uvicorn's line a second time, with escape sequences
    event["event"] = _CONTROL.sub(_escaped, str(event["event"]))
    ordered = {name: event[name] for name in _FIRST if name in event} | dict(event)
    return {name: _without_secrets(name, value) for name, value in ordered.items()}


def _without_secrets(name: str, value: object) -> object:
    if _SECRET_NAMES.fullmatch(name):
        return "…"
    return redacted(value) if isinstance(value, str) else value


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
