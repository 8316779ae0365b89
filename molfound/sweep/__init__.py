"""Sweeps: an experiment trained with other values of its configuration keys, to find the best."""
