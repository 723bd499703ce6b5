"""Small models on this processor, swapped, and what they are fed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from model_tools import tiny

from dyad_core.models.measuring.part_times import Built
from dyad_core.models.measuring.passes import Feed
from dyad_core.models.measuring.trial import ModelPlan
from dyad_core.models.measuring.workshop import Workshop

Build = Callable[..., Built]


@pytest.fixture
def build() -> Build:
    """Builds the dense model of a request, or with ``mode`` one with IT n=4 in it."""

    def make(mode: Any = None, **changes: Any) -> Built:
        plan = ModelPlan() if mode is None else ModelPlan("it", 4, mode)
        return Workshop(tiny(**changes)).build(plan)

    return make


@pytest.fixture
def feed() -> Callable[..., Feed]:
    def make(**changes: Any) -> Feed:
        return Feed.draw(tiny(**changes), 128)

    return make
