"""Reports for people: what a model was worth on what it said, its grade, and every named target beside its interval."""
