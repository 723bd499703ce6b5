"""The one exception family of the library.

::

    DyadError                      everything this library raises on purpose
    ├── SpecError (ValueError)     wrong input; carries *all* problems found, not the first
    ├── OperandError (RuntimeError) tensors that do not fit each other, as F.linear would refuse them
    ├── OperationCancelled         the caller stopped a computation
    ├── ImplementationError        an implementation cannot run here (missing device or package)
    └── BenchmarkError             a measurement could not be made
        ├── BenchmarkFailed        the measuring process ended without a result
        │   └── BenchmarkMemoryLimit  it held more memory than it was allowed
        ├── BenchmarkCancelled     the caller asked it to stop
        └── BenchmarkTimeout       it ran past its time limit

Every message is a sentence: which field, the rule, what came, what would do.
"""

from __future__ import annotations

import signal
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "BenchmarkCancelled",
    "BenchmarkError",
    "BenchmarkFailed",
    "BenchmarkMemoryLimit",
    "BenchmarkTimeout",
    "DyadError",
    "ImplementationError",
    "OperandError",
    "OperationCancelled",
    "Problem",
    "SpecError",
]


@dataclass(frozen=True)
class Problem:
    """One wrong field: the rule it breaks, what came, and what would do.

    Attributes:
        field: name of the argument or JSON field, dotted for nested ones (``"layers.2.n_blocks"``).
        rule: the rule, as a sentence without a full stop.
        received: the value that came, printable.
        suggestion: values or an action that would be accepted; empty when none is known.
    """

    field: str
    rule: str
    received: Any = None
    suggestion: str = ""

    def __str__(self) -> str:
        text = f"{self.field}: {self.rule}; received {self.received!r}"
        return f"{text}. {self.suggestion}" if self.suggestion else text

    def to_dict(self) -> dict[str, Any]:
        """Return the four fields as a plain dictionary, as the REST service sends them."""
        return asdict(self)

    def under(self, prefix: str) -> Problem:
        """Return the same problem with ``prefix`` before its field name."""
        return Problem(f"{prefix}.{self.field}", self.rule, self.received, self.suggestion)


class DyadError(Exception):
    """Base of every error this library raises on purpose."""


class SpecError(DyadError, ValueError):
    """Wrong input. ``problems`` holds one entry per wrong field, all of them at once."""

    def __init__(self, problems: list[Problem] | tuple[Problem, ...]) -> None:
        """Collect ``problems`` (at least one) and say all of them in the message."""
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Problem, ...]]]:
        """Pickle by problems, so that the error crosses a process boundary whole."""
        return type(self), (self.problems,)


class OperandError(DyadError, RuntimeError):
    """Tensors that do not fit each other; a RuntimeError because ``F.linear`` raises that."""

    @classmethod
    def shape(cls, name: str, wanted: str, received: Tensor) -> OperandError:
        """Say which operand has the wrong shape."""
        return cls(f"{name} must have shape {wanted}, received {tuple(received.shape)}")

    @classmethod
    def dtype(cls, name: str, input: Tensor, received: Tensor) -> OperandError:
        """Say which operand has another dtype than the input."""
        return cls(f"input and {name} must have one dtype, received {input.dtype} and {received.dtype}")

    @classmethod
    def device(cls, name: str, input: Tensor, received: Tensor) -> OperandError:
        """Say which operand is on another device than the input."""
        return cls(f"input and {name} must be on one device, received {input.device} and {received.device}")


class ImplementationError(DyadError, RuntimeError):
    """An implementation was asked for that cannot run here; the message says what is missing."""


class OperationCancelled(DyadError, RuntimeError):  # noqa: N818 - the event, as its family name says
    """The caller asked a computation to stop; nothing of it is left running."""


class BenchmarkError(DyadError, RuntimeError):
    """A measurement could not be made."""


class BenchmarkFailed(BenchmarkError):  # noqa: N818 - the event, as its family name says
    """The measuring process ended without a result.

    The first line of the message is a sentence with the exit code, fit for people; the last lines of the
    process's error output follow.

    Attributes:
        exit_code: of the process, negative for a signal; None when it had to be killed or is not known.
        stderr_tail: last lines of its error output.
        peak_bytes: resident memory that it and what it started held at most, as far as it was looked at; 0 when it was not.
        out_of_memory: the system killed it for want of memory.
    """

    def __init__(
        self,
        message: str,
        *,
        exit_code: int | None = None,
        stderr_tail: str = "",
        peak_bytes: int = 0,
        out_of_memory: bool = False,
    ) -> None:
        """Join the sentence and the error output."""
        super().__init__(f"{message}\n{stderr_tail}" if stderr_tail else message)
        self.exit_code = exit_code
        self.stderr_tail = stderr_tail
        self.peak_bytes = peak_bytes
        self.out_of_memory = out_of_memory

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.exit_code == -signal.SIGKILL


class BenchmarkMemoryLimit(BenchmarkFailed):
    """The process held more memory than it was allowed, and was killed.

    Attributes:
        limit_bytes: what it was allowed.
        held_bytes: what it and what it started held when it was killed.
    """

    def __init__(self, name: str, *, limit_bytes: int, held_bytes: int) -> None:
        """Say what was allowed and what it held."""
        message = f"the {name} held {held_bytes / 2**30:.2f} GiB where its limit is {limit_bytes / 2**30:.2f} GiB, and was killed"
        super().__init__(message, exit_code=-signal.SIGKILL, peak_bytes=held_bytes)
        self.name, self.limit_bytes, self.held_bytes = name, limit_bytes, held_bytes

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the figures, so that the error crosses a process boundary whole."""
        return _memory_limit, (self.name, self.limit_bytes, self.held_bytes)


def _memory_limit(name: str, limit_bytes: int, held_bytes: int) -> BenchmarkMemoryLimit:
    return BenchmarkMemoryLimit(name, limit_bytes=limit_bytes, held_bytes=held_bytes)


class BenchmarkCancelled(BenchmarkError):  # noqa: N818 - the event, as its family name says
    """The caller asked the measurement to stop; its process is dead."""


class BenchmarkTimeout(BenchmarkError):  # noqa: N818 - the event, as its family name says
    """The measurement ran past its time limit and was killed."""
