"""Whole models with DYAD in them: presets, cost, and their measured step. Needs ``pip install 'dyad-explorer[models]'``."""
