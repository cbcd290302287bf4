"""Indicators, strategies, their ensemble, exits and the feature vector: pure functions over bars."""
