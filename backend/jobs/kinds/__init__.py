"""The kinds of jobs: to add one, add a file that defines ``make(settings)``, which returns a ``JobKind``."""
