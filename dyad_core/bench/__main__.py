"""``python -m dyad_core.bench --suite reference``: measure a suite on a bare machine into one result file.

Needs torch and numpy only. The file can be shown by the dashboard and imported by the service.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dyad_core.bench import BenchmarkRun, Progress, run_benchmark
from dyad_core.bench.files import save_runs
from dyad_core.bench.suites import SUITES, suite
from dyad_core.errors import BenchmarkError, SpecError

__all__ = ["main"]

USAGE_ERROR, FAILED, INTERRUPTED = 2, 1, 130


def main(arguments: list[str] | None = None) -> int:
    """Run a suite and return the exit code: 0 done, 1 some run failed, 2 wrong input, 130 interrupted."""
    options = parser().parse_args(arguments)
    try:
        return measure_suite(options.suite, options.device, options.out, quick=options.quick)
    except SpecError as error:
        say(str(error))
        return USAGE_ERROR
    except KeyboardInterrupt:
        say("interrupted; the runs that were finished are in the file")
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m dyad_core.bench", description=__doc__)
    found.add_argument("--suite", required=True, choices=sorted(SUITES), help="which requests to measure")
    found.add_argument("--out", type=Path, default=Path("dyad-results.json"), help="result file (default: %(default)s)")
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
