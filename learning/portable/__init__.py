"""Trained models as plain arrays: NumPy answers, and no library that trained them is needed or loaded."""
