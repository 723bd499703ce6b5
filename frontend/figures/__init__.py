"""Rows in, Plotly figure out; nothing here imports Streamlit.

Text keeps the colour of the page's theme (no font colour is set), backgrounds stay transparent, so every figure reads
in light and dark.
"""
