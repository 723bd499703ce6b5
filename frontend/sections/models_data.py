"""Answers about whole models, kept for some minutes by what was asked. Errors are raised and never kept."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from frontend.schemas_models import EstimateJson, PresetJson
from frontend.sections.access import Access, access
from frontend.sections.backend import client_of

__all__ = ["estimate", "presets"]

_TOLD_APART: Any = {Access: Access.key}


@st.cache_data(ttl=600.0, max_entries=16, show_spinner=False, hash_funcs=_TOLD_APART)
def _presets(who: Access) -> list[PresetJson]:
    return client_of(who).model_presets()


def presets() -> list[PresetJson]:
    """Return the models that the service knows by name."""
    return _presets(access())


# Others may measure the same model meanwhile, so what was predicted is not kept for long.
@st.cache_data(ttl=60.0, max_entries=64, show_spinner=False, hash_funcs=_TOLD_APART)
def _estimate(who: Access, request: str, after: str) -> EstimateJson:
    del after  # part of the key alone
    return client_of(who).estimate_model(json.loads(request))


def estimate(request: dict[str, Any], after: str) -> EstimateJson:
    """Return what a model costs; ``after`` names the measurement whose end may have changed the answer."""
    return _estimate(access(), json.dumps(request, sort_keys=True), after)
