"""Projections of uploaded weights: checked here without reading a value, computed in a process of their own."""
