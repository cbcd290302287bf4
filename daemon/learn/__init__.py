"""What `ratchet learn` does: samples collected, models trained, judged, shown and rolled back, beside the daemon."""
