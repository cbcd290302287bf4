"""What a history of outcomes and equity amounts to."""
