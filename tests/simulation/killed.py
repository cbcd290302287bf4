"""How the end of a process looks from inside."""


class Killed(BaseException):
    """The process ends here; nobody catches it and nothing is written any more."""
