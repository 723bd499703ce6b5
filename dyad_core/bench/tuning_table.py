"""The table of choices on its way to disk: what is measured so far, what it says of its making, what it changes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from dyad_core._version import __version__
from dyad_core.bench.results import BenchmarkRun
from dyad_core.errors import Problem, SpecError
from dyad_core.ops import auto
from dyad_core.ops.auto import FALLBACK, SCHEMA_VERSION, Choice, Table

__all__ = ["State", "changes", "write_table"]

OF_MACHINE = (
    "device_name",
    "cpu_cores",
    "cpu_capability",
    "threads",
    "platform",
    "python_version",
    "torch_version",
    "dyad_version",
    "cuda_version",
    "driver_version",
    "allocator",
    "load_average_1min",
)


class State:
    """What is measured so far, on disk after every run; begun anew where versions or rivals are others."""

    def __init__(self, path: Path, rivals: Sequence[str]) -> None:
        """Read what is there and fits."""
        self.path = path
        self.identity = {"torch": str(torch.__version__), "dyad": __version__, "rivals": list(rivals)}
        self.done: dict[str, list[dict[str, Any]]] = {}
        self.environment: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError, KeyError):
            values = json.loads(path.read_text(encoding="utf-8"))
            if values["identity"] == self.identity:
                self.done, self.environment = values["done"], values["environment"]

    def add(self, run: BenchmarkRun, choices: Sequence[Choice]) -> None:
        """Take what a run says, in place of what an earlier run of the same request said."""
        self.done[run.spec.digest()] = [to_row(choice) for choice in choices]
        self.environment = self.environment or {**run.to_dict()["environment"], "created_at": run.created_at}
        values = {"identity": self.identity, "environment": self.environment, "done": self.done}
        write(self.path, json.dumps(values))

    def choices(self) -> Iterator[Choice]:
        """All choices, in the order in which they were first measured."""
        for rows in self.done.values():
            yield from (auto.choice_of(row) for row in rows)

    def measured(self, rule: str) -> dict[str, Any]:
        """What the table says of its making: machine, versions, settings, load, rivals and rule."""
        known = self.environment
        return {
            "created_at": known.get("created_at"),
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **{name: known[name] for name in OF_MACHINE if known.get(name) is not None},
            "implementations": self.identity["rivals"],
            "disturbed_rows": sum(choice.disturbed for choice in self.choices()),
            "rule": rule,
        }


def changes(before: Table | None, after: Table) -> list[str]:
    """One line for each size at which ``auto`` now takes another implementation than before."""
    lines = []
    for choice in after.choices:
        trains = choice.pass_ == "train"
        shape = auto.Shape(
            choice.variant, choice.n_blocks, choice.in_features, choice.out_features, choice.tokens, trains
        )
        known = before.nearest(choice.dtype, shape) if before else None
        usual = auto.standard(after.device_kind, getattr(torch, choice.dtype), choice.tokens, trains=trains)
        old = known.implementation if known else usual
        if old != choice.implementation:
            sizes = f"{choice.in_features}→{choice.out_features}, {choice.tokens} tokens"
            against = usual if usual in choice.median_ms else FALLBACK
            gain = f", {choice.gain:.2f}x of {against}" if choice.implementation != against else ""
            lines.append(
                f"{choice.variant} n={choice.n_blocks}, {sizes}, {choice.dtype}, {choice.pass_}: "
                f"{old} → {choice.implementation}{gain}"
            )
    return lines


def write_table(path: Path, table: Table) -> None:
    """Write a table, whole or not at all, one row a line so that a change can be read.

    Raises:
        SpecError: when the file cannot be written there.
    """
    head = {"schema_version": SCHEMA_VERSION, "device_kind": table.device_kind, "measured": table.measured}
    rows = ",\n  ".join(json.dumps(to_row(choice)) for choice in table.choices)
    text = json.dumps(head, indent=1, ensure_ascii=False)[:-2] + f',\n "choices": [\n  {rows}\n ]\n}}\n'
    write(path, text)


def to_row(choice: Choice) -> dict[str, Any]:
    values = dataclasses.asdict(choice)
    values["pass"] = values.pop("pass_")
    return values


def write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise SpecError([Problem("out", f"must be writable, and is not: {error.strerror}", str(path))]) from error
