"""The service and its command line: wiring, schedule, jobs, supervision, API, metrics."""
