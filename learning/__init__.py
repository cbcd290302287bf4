"""The ML filter: labelled samples, online models, what they say about the next signal."""
