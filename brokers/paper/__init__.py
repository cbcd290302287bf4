"""The embedded paper broker: its own ledger, its own matching, no network. An adapter like others, not a mode."""
