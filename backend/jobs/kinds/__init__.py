"""The kinds of jobs: to add one, add a file that defines ``KIND``, an object with the members of ``JobKind``."""
