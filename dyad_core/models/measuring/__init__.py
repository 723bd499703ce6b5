"""Whole models measured: training step, prefill and decode, dense beside DYAD in interleaved rounds, in a process of its own.

``run_model(spec)`` measures; every swapped model is held against a dense oracle before it is timed.
"""

from dyad_core.models.measuring.files import load_model_run, save_model_run
from dyad_core.models.measuring.isolation import run_model
from dyad_core.models.measuring.progress import ModelProgress

__all__ = ["ModelProgress", "load_model_run", "run_model", "save_model_run"]
