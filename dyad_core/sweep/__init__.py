"""The map of where DYAD pays: sizes × tokens, refined where the speed-up crosses 1.0x, with the rule in words.

>>> from dyad_core.sweep import SweepSpec
>>> SweepSpec(widths=(256, 512, 1024), tokens=(64, 1024)).grid.points
6

``run_sweep(spec)`` measures, within the budget that the request gives.
"""

from dyad_core.sweep.files import load_sweep, save_sweep
from dyad_core.sweep.progress import SweepProgress
from dyad_core.sweep.results import SweepPoint, SweepResult
from dyad_core.sweep.run import run_sweep
from dyad_core.sweep.spec import SweepSpec

__all__ = ["SweepPoint", "SweepProgress", "SweepResult", "SweepSpec", "load_sweep", "run_sweep", "save_sweep"]
