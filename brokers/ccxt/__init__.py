"""Demo accounts at venues: the `Broker` protocol over one account's link, with a durable log of what was heard."""
