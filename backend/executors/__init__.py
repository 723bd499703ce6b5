"""Where work runs: processes of this machine, or of a Ray cluster. The scheduler decides what runs, an executor where."""
