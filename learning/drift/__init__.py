"""Drift: whether the market, the features or the champion's word have changed, with few false alarms."""
