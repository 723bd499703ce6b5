"""The version of the library, read by packaging and written into every result file."""

__version__ = "0.1.0"
