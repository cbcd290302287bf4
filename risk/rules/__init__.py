"""Pre-trade rules, one small class each, without state: everything they need is in the proposal and the snapshot."""
