"""Trained models on disk, immutable and verified before they are read, and who of them speaks."""
