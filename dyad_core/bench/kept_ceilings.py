"""Ceilings are measured once and kept per machine, below ``DYAD_HOME``.

One file for everything that they depend on: machine, device, dtype, threads, precision and torch's version. What is in
a file is not trusted: it may be cut off, or come along with a folder from another machine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dyad_core.bench.ceilings import Ceilings, device_name, full_name, measure_ceilings
from dyad_core.bench.machine import cpu_name, usable_cores
from dyad_core.errors import Problem, SpecError

__all__ = ["ceilings_for", "ceilings_path", "is_kept", "machine_identity"]

SCHEMA_VERSION = 1
MAX_FILE_BYTES = 64 << 10

Measure = Callable[[str, str, int], Ceilings]


def ceilings_for(
    device: str, dtype: str, threads: int, *, again: bool = False, measure: Measure | None = None
) -> Ceilings:
    """The kept ceilings of this machine, measured first where there are none or ``again`` is asked for.

    On CUDA this initialises CUDA: call it where it is measured. What was measured beside other work is returned, and
    not kept.

    Raises:
        SpecError: the kept file is damaged, of another machine or of a newer version, or cannot be written.
    """
    identity = machine_identity(device, dtype, threads)
    path = ceilings_path(identity)
    if not again and path.exists():
        return read(path, identity)
    found = (measure or measure_ceilings)(device, dtype, threads)
    if not found.disturbed:
        write(path, {"schema_version": SCHEMA_VERSION, "identity": identity, "ceilings": found.to_dict()})
    return found


def is_kept(device: str, dtype: str, threads: int) -> bool:
    """Whether ceilings of this machine are there already."""
    return ceilings_path(machine_identity(device, dtype, threads)).exists()


def machine_identity(device: str, dtype: str, threads: int) -> dict[str, str]:
    """All that ceilings depend on: machine, device, software and settings."""
    return {
        "hostname": platform.node(),
        "cpu_name": cpu_name(),
        "cpu_cores": str(usable_cores()),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": full_name(device),
        "device_name": device_name(device),
        "dtype": dtype,
        "threads": str(threads),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "torch": str(torch.__version__),
    }


def ceilings_path(identity: dict[str, str]) -> Path:
    """Where ceilings are kept: ``DYAD_HOME`` (``.dyad``), a file for each identity."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]
    return Path(os.environ.get("DYAD_HOME") or ".dyad") / "machines" / f"{digest}.json"


def read(path: Path, identity: dict[str, str]) -> Ceilings:
    """Read a kept file; nothing in it is trusted."""
    anew = "dyad ceilings --again measures them anew"
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SpecError([Problem("ceilings", f"must be readable, and are not: {error.strerror}", str(path))]) from error
    if len(data) > MAX_FILE_BYTES:
        raise SpecError([Problem("ceilings", f"must be at most {MAX_FILE_BYTES:,} bytes", str(path), anew)])
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SpecError([Problem("ceilings", f"must be JSON: {error}", str(path), anew)]) from error
    if not isinstance(values, dict) or values.get("schema_version") != SCHEMA_VERSION:
        version = values.get("schema_version") if isinstance(values, dict) else None
        rule = f"must be of schema {SCHEMA_VERSION}, and {path} is not"
        raise SpecError([Problem("ceilings", rule, version, anew)])
    if values.get("identity") != identity:
        raise SpecError([Problem("ceilings", "must be of this machine, and the file is of another", str(path), anew)])
    try:
        return Ceilings.from_dict(values.get("ceilings"))
    except SpecError as error:
        lines = [dataclasses.replace(problem, suggestion=f"in {path}; {anew}") for problem in error.problems]
        raise SpecError(lines) from error


def write(path: Path, values: dict[str, Any]) -> None:
    """Write a kept file, whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise SpecError([Problem("ceilings", f"must be writable, and are not: {error.strerror}", str(path))]) from error
