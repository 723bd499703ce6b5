"""Controls that outlive a page change and can be filled from a run.

Every control keeps its value under one key, ``<page>.<field>``. Values are put there before the control is drawn, never
as the control's default: Streamlit takes one of the two, and only the first can be changed later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

__all__ = ["fill", "prepare", "value", "values"]


def prepare(page: str, defaults: Mapping[str, Any]) -> None:
    """Give every control of ``page`` that has no value yet its default."""
    for name, default in defaults.items():
        st.session_state.setdefault(f"{page}.{name}", default)


def fill(page: str, given: Mapping[str, Any]) -> None:
    """Set controls of ``page``; call before they are drawn, or in a callback."""
    for name, item in given.items():
        st.session_state[f"{page}.{name}"] = item


def value(page: str, name: str) -> Any:
    """Return what one control holds."""
    return st.session_state.get(f"{page}.{name}")


def values(page: str, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the named controls hold."""
    return {name: value(page, name) for name in names}
