"""The one door to each outside venue; today it guards that only demo hosts are ever spoken to."""
