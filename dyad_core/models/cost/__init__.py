"""What a whole model costs, dense and with DYAD in it: arithmetic from its layers, and predictions from measured times."""
