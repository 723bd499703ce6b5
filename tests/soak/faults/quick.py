"""Quick jobs: benchmarks of one odd size, whose measurement is replaced by a process that only keeps a journal.

Everything else of them is real: route, request, queue, process, protocol, cancelling, result in the database.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from made_up import ENVIRONMENT

from backend.jobs.context import Context
from backend.jobs.kind import Outcome
from backend.jobs.kinds.benchmark import BenchmarkKind
from dyad_core.bench import BenchmarkRun, BenchmarkSpec
from dyad_core.bench.process import Work
from dyad_core.bench.progress import Progress

__all__ = ["FAILS_S", "FOLDER", "QuickKind", "is_quick", "quick_spec"]

FOLDER = "DYAD_SOAK_FOLDER"
"""Environment variable of the server: where journal and locks are."""
SIDE = 68
FAILS_S = 2.0
WORKER = Path(__file__).with_name("quick_worker.py")


def quick_spec(nonce: int, milliseconds: int, *, fails: bool = False) -> dict[str, Any]:
    """A request for a quick job: its number goes as the seed, its duration as the tokens."""
    return {
        "in_features": SIDE,
        "out_features": SIDE,
        "n_blocks": [4],
        "threads": 1,
        "seed": nonce,
        "tokens": max(1, milliseconds),
        "max_seconds": FAILS_S if fails else 1.0,
    }


def is_quick(spec: dict[str, Any]) -> bool:
    """Whether a request is one of those."""
    return bool(spec.get("in_features") == SIDE)


class QuickKind(BenchmarkKind):
    """Benchmarks, the quick ones among them replaced."""

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        """Run the journal's process for a quick job, the engine for any other."""
        if not is_quick(spec):
            return super().run(spec, context)
        read = BenchmarkSpec.from_dict(spec)
        run = BenchmarkRun(read, ENVIRONMENT, (), created_at=datetime.now(UTC).isoformat(), duration_s=0.0)
        request = {
            "folder": os.environ[FOLDER],
            "nonce": spec["seed"],
            "seconds": spec["tokens"] / 1000,
            "fails": spec["max_seconds"] == FAILS_S,
            "run": run.to_dict(),
        }
        work = Work((sys.executable, "-S", str(WORKER)), request, name="quick job", process_name="quick process")

        def on_message(message: dict[str, Any]) -> None:
            context.on_progress(Progress("timing", 0, 1, 0.0, message["token"], 0.0).to_dict())

        result = context.run(work, on_message=on_message)
        return Outcome(result=result, headline=result["reading"], warnings=[], environment_digest="1" * 64)
