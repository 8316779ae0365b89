"""Benchmarks that anyone can repeat: the quality of models over datasets and seeds, and the speed of the code."""
