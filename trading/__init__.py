"""One scan, an order's life, reconciliation, outcomes and the holds in force."""
