"""From texts and calendars to a score per instrument and the windows in which not to enter."""
