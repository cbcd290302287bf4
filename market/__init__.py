"""Bars, quotes, sessions, instruments and currency rates: what is known of the market, never an opinion on it."""
