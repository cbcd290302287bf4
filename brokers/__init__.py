"""The `Broker` protocol and one folder per venue kind. A broker reports facts; it never decides."""
