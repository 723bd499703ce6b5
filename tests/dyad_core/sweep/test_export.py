"""The table of a sweep: every row complete, text harmless."""

from __future__ import annotations

import csv
import io

from sweep_tools import Simulated, slope

from dyad_core.errors import BenchmarkFailed
from dyad_core.sweep import SweepSpec, run_sweep
from dyad_core.sweep.export import COLUMNS, to_csv


def test_one_row_per_size_and_map() -> None:
    spec = SweepSpec(widths=(256, 1024), tokens=(16,), n_blocks=(4, 8), passes=("forward", "train_step"))
    machine = Simulated(slope(600), trouble={(1024, 16): BenchmarkFailed("=1+1 broke")})
    result = run_sweep(spec, run=machine, clock=machine.clock, here=machine.here)
    rows = list(csv.DictReader(io.StringIO(to_csv(result))))

    assert len(rows) == 8
    assert list(rows[0]) == list(COLUMNS)
    first = rows[0]
    assert (first["in_features"], first["tokens"], first["n_blocks"], first["pass"]) == ("256", "16", "4", "forward")
    assert float(first["speedup_low"]) < float(first["speedup"]) < float(first["speedup_high"])
    assert (first["device_name"], first["dtype"], first["chosen"]) == ("AMD EPYC", "float32", "eager")
    failed = rows[-1]
    assert (failed["outcome"], failed["speedup"], failed["detail"]) == ("failed", "", "'=1+1 broke")
