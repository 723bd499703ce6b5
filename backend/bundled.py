"""Put the results that ship with the library among the jobs, once: a service without a GPU has something to show.

What was put there is remembered by its digest, so that a restart adds nothing and what a user deleted stays deleted. A new
version's new results come to an old database as well. It happens in a thread: the start waits for it a second at most.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker

from backend.jobs.desk import Desk
from backend.jobs.kind import Bundle, BundlingKind
from backend.store.models import BundledRow
from dyad_core.errors import DyadError

__all__ = ["Bundled", "Memory"]

_log = logging.getLogger(__name__)

START_WAITS_S = 1.0


class Memory:
    """What was bundled before, in the table ``bundled``."""

    def __init__(self, engine: Engine) -> None:
        """Use the database of ``engine``."""
        self._session = sessionmaker(engine)

    def holds(self, digest: str) -> bool:
        """Whether a file or a result with this digest was put among the jobs before."""
        with self._session() as session:
            return session.get(BundledRow, digest) is not None

    def add(self, digest: str) -> None:
        """Remember it for good."""
        with self._session.begin() as session:
            session.merge(BundledRow(digest=digest, added_at=datetime.now(UTC)))


class Bundled:
    """Adds what is missing, in a thread of its own."""

    def __init__(self, desk: Desk) -> None:
        """Prepare; nothing happens before :meth:`start`."""
        self._desk, self._memory = desk, Memory(desk.store.engine)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._add_all, name="dyad-bundled", daemon=True)

    def start(self) -> None:
        """Begin, and wait a moment: where it is quick, the first request finds everything in place."""
        self._thread.start()
        self._thread.join(START_WAITS_S)

    def stop(self) -> None:
        """End after the result under way; the next start goes on."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _add_all(self) -> None:
        for name, kind in self._desk.kinds.items():
            if not isinstance(kind, BundlingKind):
                continue
            try:
                for bundle in kind.bundles():
                    self._add(name, bundle)
            except (DyadError, OSError, SQLAlchemyError):
                # The service is as good without them; whoever runs it should know.
                _log.exception("results of the kind %s that ship with the library could not be added", name)

    def _add(self, kind: str, bundle: Bundle) -> None:
        if self._memory.holds(bundle.digest):
            return
        for request, outcome in bundle.read():
            if self._stopping.is_set():
                return
            if outcome.fingerprint is None:
                raise DyadError("a bundled result needs a fingerprint")
            if not self._memory.holds(outcome.fingerprint):
                self._desk.keep(kind, request, outcome, origin="reference")
                self._memory.add(outcome.fingerprint)
        self._memory.add(bundle.digest)
