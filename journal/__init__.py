"""The durable record: append-only facts, one writer, and the checks that prove them."""
