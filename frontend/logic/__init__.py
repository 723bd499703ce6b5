"""What the pages say and send, without Streamlit: words, presets, requests, rows, decoded patterns."""
