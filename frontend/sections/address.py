"""A page's controls in the address, so that a link shows the same picture.

The address is written at the end of what the controls say, and read when it is not what was written: a link, or the
browser's Back. Between the two lies the network: a second change can arrive with the address from before the first.
So the address is not followed while the controls themselves changed, nor for a moment after it was written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import streamlit as st

__all__ = ["follow", "publish"]

SETTLED_SECONDS = 2.0
"""A browser that is told a new address shows it long before this."""

Read = Callable[[Mapping[str, str]], None]
Hold = Callable[[], dict[str, str]]


def follow(page: str, names: tuple[str, ...], read: Read, hold: Hold) -> None:
    """Call ``read`` with the parameters of the address when it is a link to follow; call before controls are drawn.

    Args:
        page: whose state this is.
        names: of the parameters that belong to the page.
        read: puts parameters into the controls.
        hold: returns what the controls say now, as parameters; only called when they have values.
    """
    asked = _asked(names)
    written = st.session_state.get(f"{page}.address")
    if written is None:
        if asked:
            read(asked)
        return
    if not asked or asked == written:
        return
    recent = time.monotonic() - st.session_state.get(f"{page}.address_at", 0.0) < SETTLED_SECONDS
    earlier = asked in st.session_state.get(f"{page}.addresses", [])
    if hold() == written and not (recent and earlier):
        read(asked)


def publish(page: str, names: tuple[str, ...], held: dict[str, str]) -> None:
    """Make what the controls say the address."""
    st.session_state[f"{page}.address"] = held
    if _asked(names) == held:
        return
    st.session_state[f"{page}.address_at"] = time.monotonic()
    st.session_state[f"{page}.addresses"] = [held, *st.session_state.get(f"{page}.addresses", [])][:8]
    st.query_params.from_dict(held)


def _asked(names: tuple[str, ...]) -> dict[str, str]:
    return {name: text for name, text in st.query_params.items() if name in names}
