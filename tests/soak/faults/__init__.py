"""A bench of faults: under load it kills, at random moments, what can die; then it checks the books."""
