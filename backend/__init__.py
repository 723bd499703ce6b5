"""The REST service of DYAD Explorer: it queues measurements, keeps their results and answers structure questions.

Run ``python -m backend`` (settings come from ``DYAD_*`` environment variables), or ``dyad up`` for the service and
the dashboard together. Importing this package needs no environment and starts nothing.
"""
