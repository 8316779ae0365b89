"""Estimators of scikit-learn whose samples are molecules: a transformer of a run, a regressor and a classifier."""
