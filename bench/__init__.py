"""Benchmarks: `python -m bench` measures, one process at a time, and prints figures. The method is in README.md."""
