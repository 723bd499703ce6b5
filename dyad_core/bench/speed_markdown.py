"""A speed suite as Markdown: the tables of the README are made from the data, never typed.

Run ``python -m dyad_core.bench.speed_markdown`` to print every reference run, or name result files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dyad_core.bench.disturbance import is_disturbed
from dyad_core.bench.files import load_runs
from dyad_core.bench.reference import reference_runs
from dyad_core.bench.results import BenchmarkRun, Environment
from dyad_core.bench.speed_report import COMPARED, Standing, point_name, standings, summary
from dyad_core.errors import SpecError

__all__ = ["main", "to_markdown"]


def to_markdown(runs: Sequence[BenchmarkRun]) -> str:
    """One table: a row per point and n, the speed-up of ``auto`` per variant with its share of the limit, and the rivals.

    A figure is marked ``*`` where a rival is ahead beyond the interval and ``†`` where a target is missed.
    """
    if not runs:
        return "No point has been measured.\n"
    heads = [
        "layer",
        "n",
        *(variant.upper() for variant in COMPARED),
        "original",
        "feature-major",
        "low-rank",
        "Monarch",
    ]
    lines = [_machine(runs[0].environment), "", _row(heads), _row(["---"] * len(heads))]
    for run in runs:
        found = list(standings(run))
        for pass_ in run.spec.passes:
            for n in run.spec.n_blocks:
                mine = [each for each in found if each.auto.pass_ == pass_ and each.auto.n_blocks == n]
                if mine:
                    name = point_name(run, pass_) + (" (disturbed)" if is_disturbed(run, pass_) else "")
                    lines.append(_row([name, str(n), *cells(mine)]))
    notes = (
        "Speed-up of `auto` over dense with its share of the limit n/2, beside the best variant of each rival at the same n. "
        "`*` a rival is faster beyond the 95 % interval, `†` a target is missed."
    )
    return "\n".join([*lines, "", notes, "", *(f"- {line}" for line in summary(runs))]) + "\n"


def cells(mine: Sequence[Standing]) -> Iterator[str]:
    """The cells of one row: ours by variant, then each rival at its best variant."""
    by_variant = {standing.auto.variant: standing for standing in mine}
    for variant in COMPARED:
        standing = by_variant.get(variant)
        yield "" if standing is None else _figure(standing)
    for name in ("original", "feature-major", "low-rank", "Monarch"):
        speeds = [rival.candidate.speedup for each in mine for rival in each.rivals if rival.name == name]
        known = [speed for speed in speeds if speed is not None]
        yield f"{max(known):.2f}" if known else "–"


def _figure(standing: Standing) -> str:
    auto = standing.auto
    marks = ("*" if standing.ahead else "") + ("†" if standing.is_met is False else "")
    return f"{auto.speedup:.2f}{marks} ({auto.share_of_limit:.0%})"


def _row(values: Sequence[str]) -> str:
    return f"| {' | '.join(value.replace('*', chr(92) + '*') for value in values)} |"


def _machine(environment: Environment) -> str:
    cores = f"{environment.threads} threads" if environment.device == "cpu" else environment.device
    settings = {name: value for name, value in environment.allocator.items() if name != "transparent_huge_pages"}
    memory = f", allocator {settings}" if settings else ""
    return (
        f"Measured on {environment.device_name} ({cores}, {environment.cpu_capability}), torch {environment.torch_version}, "
        f"dyad-explorer {environment.dyad_version}{memory}."
    )


def main(arguments: list[str]) -> int:
    """Print the tables of the files that are named, else of every reference run; return the exit code."""
    try:
        found = [(Path(name).stem, load_runs(name)) for name in arguments] or list(reference_runs().items())
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for name, runs in found:
        sys.stdout.write(f"### {name}\n\n{to_markdown(runs)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
