"""The verdict: swap, do not swap, depends, or not distinguishable from 1.0x, for one geometry under one set of conditions.

>>> from dyad_core.bench.reference import reference_runs
>>> from dyad_core.verdict import decide
>>> run = reference_runs()["cpu-epyc-zen4-2-cores"][0]
>>> decide(run, variant="it", n_blocks=4, origin="reference").decision
'swap'

:func:`decide` takes a finished run and says the one record that Python, REST, the command line and the dashboard share;
:func:`verdicts` says it of every candidate, best first. Nothing here measures, and nothing is guessed: time and memory
are the run's, the reach is counted exactly, quality is published or missing.
"""

from dyad_core.verdict.deciding import decide, verdicts
from dyad_core.verdict.records import (
    DECISIONS,
    Conditions,
    Decision,
    MemorySaved,
    PassVerdict,
    Place,
    QualityEvidence,
    Reach,
    Saving,
    TimeSaved,
    Verdict,
)

__all__ = [
    "DECISIONS",
    "Conditions",
    "Decision",
    "MemorySaved",
    "PassVerdict",
    "Place",
    "QualityEvidence",
    "Reach",
    "Saving",
    "TimeSaved",
    "Verdict",
    "decide",
    "verdicts",
]
