"""``python -m dyad_core.bench --suite reference``: measure a suite on a bare machine into one result file.

Needs torch and numpy only. The file can be shown by the dashboard and imported by the service. ``--tune`` measures which
implementation ``auto`` should take here (:mod:`dyad_core.bench.tuning`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dyad_core.bench import BenchmarkRun, Progress, run_benchmark
from dyad_core.bench.files import save_runs
from dyad_core.bench.spec import ALLOCATORS
from dyad_core.bench.speed_run import SpeedOptions, run_speed
from dyad_core.bench.suites import SUITES, suite
from dyad_core.bench.tuning import run_tuning
from dyad_core.errors import BenchmarkError, SpecError

__all__ = ["main"]

RESULTS = Path("dyad-results.json")
USAGE_ERROR, FAILED, INTERRUPTED = 2, 1, 130


def main(arguments: list[str] | None = None) -> int:
    """Run a suite and return the exit code: 0 done, 1 some run failed, 2 wrong input, 130 interrupted."""
    options = parser().parse_args(arguments)
    try:
        if options.tune:
            settings = {"implementations": options.implementations, "dtypes": ()}
            return run_tuning(options.device, quick=options.quick, out=options.out, say=say, **settings)
        if options.suite == "speed":
            more = tuple(options.implementations)
            flags = {name: getattr(options, name) for name in ("quick", "full", "resume", "anyway", "allocator")}
            return run_speed(SpeedOptions(options.device, options.out or RESULTS, more=more, **flags), say=say)
        return measure_suite(options.suite, options.device, options.out or RESULTS, quick=options.quick)
    except SpecError as error:
        say(str(error))
        return USAGE_ERROR
    except KeyboardInterrupt:
        say("interrupted; the runs that were finished are in the file")
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m dyad_core.bench", description=__doc__)
    what = found.add_mutually_exclusive_group(required=True)
    what.add_argument("--suite", choices=sorted([*SUITES, "speed"]), help="which requests to measure")
    what.add_argument("--tune", action="store_true", help="measure which implementation auto should take here")
    found.add_argument("--out", type=Path, help=f"result file (default: {RESULTS}; of --tune: DYAD_HOME/choices)")
    found.add_argument("--implementations", nargs="+", default=(), help="of --tune: compare these; of speed: and these")
    found.add_argument("--full", action="store_true", help="of speed: the whole grid, going on from the result file")
    found.add_argument("--resume", action="store_true", help="of speed: go on from the result file")
    found.add_argument("--anyway", action="store_true", help="of speed: measure on a busy machine too")
    found.add_argument("--allocator", choices=ALLOCATORS, default="default", help="of speed: how memory is kept")
    found.add_argument("--device", default="cpu", help="cpu, cuda or cuda:<index> (default: %(default)s)")
    found.add_argument("--quick", action="store_true", help="tiny sizes: tries the path in seconds, compares nothing")
    return found


def measure_suite(name: str, device: str, out: Path, *, quick: bool) -> int:
    """Measure every request of a suite; the file is written anew after each, so an interruption loses one run."""
    specs = suite(name, device, quick=quick)
    runs: list[BenchmarkRun] = []
    failures = 0
    for number, spec in enumerate(specs, start=1):
        say(
            f"[{number}/{len(specs)}] {spec.module} {spec.in_features}→{spec.out_features}, {spec.dtype}, {spec.device}"
        )
        try:
            runs.append(run_benchmark(spec, on_progress=show))
        except BenchmarkError as error:
            failures += 1
            say(f"\n  {str(error).splitlines()[0]}")
            continue
        save_runs(out, runs)
        say(f"\n  {runs[-1].reading}")
    say(f"{len(runs)} of {len(specs)} runs are in {out}" if runs else "no run succeeded, so no file was written")
    return FAILED if failures else 0


def show(progress: Progress) -> None:
    """One line that is written over."""
    sys.stderr.write(f"\r  {progress.fraction:4.0%} {progress.message:<60.60}")
    sys.stderr.flush()


def say(text: str) -> None:
    """Print a line for people."""
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
