"""molfound: train, measure and use molecular graph models over mixtures of datasets and thousands of sparse tasks."""

__version__ = "0.1.0"
