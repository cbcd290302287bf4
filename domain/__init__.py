"""The words everyone shares: frozen records that are valid at birth, and pure functions over them."""
