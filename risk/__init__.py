"""Sizing, limits, breakers and the pre-trade gate: pure, one small class a rule, failing closed."""
