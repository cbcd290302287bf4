"""The one door to each outside venue: demo hosts alone may be traded with, public data is read without a key."""
