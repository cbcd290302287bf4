"""Scheduled work, one file a job. A job adds to the journal through the session's writer and decides nothing."""
