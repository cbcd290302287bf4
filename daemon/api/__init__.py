"""The local API: a few verbs of the running daemon, on loopback, for whoever holds its token."""
