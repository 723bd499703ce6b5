"""Pieces of pages: what draws widgets. Words, requests and figures come from ``logic`` and ``figures``."""
