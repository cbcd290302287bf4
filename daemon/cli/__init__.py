"""The command `ratchet`: one verb, one function; what is slow to import is imported by the verb that needs it."""
