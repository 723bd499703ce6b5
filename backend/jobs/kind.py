"""What a kind of job is, and the registry of all kinds.

To add a kind, add one file to :mod:`backend.jobs.kinds` that defines ``make(settings)``, which returns an object with
the members of :class:`JobKind`. It is found by its presence; the queue, the store and ``/jobs`` need no change.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from backend.executors.base import Needs
from backend.jobs.context import Context
from backend.settings import Settings

__all__ = ["Bundle", "BundlingKind", "JobKind", "Outcome", "Request", "UpgradingKind", "all_kinds"]


@dataclass(frozen=True)
class Request:
    """A request that was read and found good.

    Attributes:
        spec: every field with its default, JSON-ready; :meth:`JobKind.run` gets it back.
        digest: identity of the request.
        warnings: what the user should know although the job will run.
        environment_digest: identity of the environment in which it would run now; None where no stored result may
            stand for a new one.
        needs: what it needs to start.
        attempts: how often it may be started, where the machine under it goes away (:mod:`backend.jobs.rules`).
    """

    spec: dict[str, Any]
    digest: str
    warnings: list[str] = field(default_factory=list)
    environment_digest: str | None = None
    needs: Needs = field(default_factory=Needs)
    attempts: int = 1


@dataclass(frozen=True)
class Outcome:
    """What a job that succeeded leaves behind.

    Attributes:
        result: JSON-ready.
        headline: one sentence that says what was found.
        warnings: what the user should know about the result.
        environment_digest: identity of the machine, where the result depends on it.
        machine: which machine that was, for people: the fields of :class:`~backend.jobs.records.Machine`.
        measured_at: when, which for a result of elsewhere is not when it came here.
        servable: whether it may stand for an equal request on an equal environment.
        fingerprint: identity of the result itself.
    """

    result: dict[str, Any]
    headline: str | None
    warnings: list[str]
    environment_digest: str | None = None
    machine: dict[str, Any] | None = None
    measured_at: datetime | None = None
    servable: bool = False
    fingerprint: str | None = None


@dataclass(frozen=True)
class Bundle:
    """A file of results that ships with the library.

    Attributes:
        digest: of its content.
        read: reads it; may take a moment.
    """

    digest: str
    read: Callable[[], Iterable[tuple[Request, Outcome]]]


class JobKind(Protocol):
    """One kind of job."""

    @property
    def name(self) -> str:
        """The value of ``kind`` in records."""

    def read(self, body: dict[str, Any]) -> Request:
        """Check a request without starting anything.

        Raises:
            SpecError: with every problem found.
        """

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        """Do the work, blocking, in processes that ``context`` starts where the job was placed.

        Raises:
            BenchmarkCancelled: ``context.cancel`` was set and no process is left.
            PlaceLost: the machine is gone.
            DyadError: the work could not be done; the message says why.
        """


@runtime_checkable
class BundlingKind(Protocol):
    """A kind of which results ship with the library."""

    def bundles(self) -> Iterable[Bundle]:
        """Their files."""


@runtime_checkable
class UpgradingKind(Protocol):
    """A kind whose stored results may be of an older schema."""

    def upgraded(self, result: dict[str, Any]) -> dict[str, Any]:
        """A stored result as this version makes it; the same object where it is."""


def all_kinds(settings: Settings) -> Mapping[str, JobKind]:
    """Every kind in :mod:`backend.jobs.kinds` by its name."""
    package = importlib.import_module("backend.jobs.kinds")
    names = (module.name for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."))
    modules = (importlib.import_module(name) for name in names)
    kinds: list[JobKind] = [module.make(settings) for module in modules]
    return {kind.name: kind for kind in kinds}
