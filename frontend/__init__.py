"""The dashboard: Streamlit pages over the REST service.

``app.py`` is the entry script (``streamlit run frontend/app.py``) and only navigates. ``client.py`` speaks to the
service, ``logic/`` turns answers into rows, words and requests, ``figures/`` turns rows into Plotly figures,
``sections/`` holds the pieces of a page that draw widgets, ``views/`` puts them together, one file per page. The dashboard imports
neither the service nor the library: whatever it shows came over HTTP.
"""
