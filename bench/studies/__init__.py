"""Studies: what parts of the product are worth on recorded candles. Figures of results, not of speed."""
