"""How good is it really: ranking, calibration, cut-offs by expected value, and verdicts on the same unseen samples."""
