"""From samples to a model that may be deployed: search, fit, calibrate, set the threshold, judge; beside the daemon."""
