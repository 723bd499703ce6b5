"""Settings that every test shares."""

from __future__ import annotations

from hypothesis import settings

# A property must not fail because the machine was busy: no time limit for a single example.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
