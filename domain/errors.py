"""Every error the product raises, split by what the caller must do.

::

    RatchetError
    |-- ConfigurationRefused      fix the configuration; the process exits 78
    |-- InvalidInput              fix what was given (a file, a value); nothing was changed
    |   `-- InvalidRecord         a record that may not exist (a bar with high < low, a naive time)
    |-- NotAvailable              not now: ask again later
    |   |-- NoRate                no currency rate young enough
    |   |-- TrainingFailed        a training ended without an answer; nothing was deployed, nothing is lost
    |   |-- VenueUnavailable      the venue did not answer; what was asked may or may not have happened
    |   `-- VenueBusy             the venue may not be asked now, or answered that it did nothing: ask again later
    |-- Refused                   a definite no
    |   |-- Denied                by one of our own rules, before anything was sent
    |   |-- VenueRejected         by the venue: this order, not the next
    |   `-- VenueForbids          by the venue: this account or key, until a person has looked
    |-- JournalError              the durable record cannot be written: sends stop
    |   |-- JournalLocked         another process writes it
    |   `-- JournalSchemaUnknown  written by another version; the process exits 78
    `-- Impossible                an invariant is broken: halt and ask a person

An error raised without a text uses its own docstring, so each is documented where it is defined.
"""

from __future__ import annotations


class RatchetError(Exception):
    """Something the daemon was asked to do could not be done."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message if message is not None else " ".join((type(self).__doc__ or "").split()))


class ConfigurationRefused(RatchetError):
    """The configuration is not one the daemon may run with."""


class InvalidInput(RatchetError):
    """What was given cannot be used."""


class InvalidRecord(InvalidInput):
    """A record with these values may not exist."""


class NotAvailable(RatchetError):
    """Not available at this moment; ask again later."""


class NoRate(NotAvailable):
    """No currency rate that is young enough is at hand."""


class TrainingFailed(NotAvailable):
    """A training ended without an answer; nothing was deployed and nothing is lost."""


class VenueUnavailable(NotAvailable):
    """The venue did not answer; what was asked of it may or may not have happened."""


class VenueBusy(NotAvailable):
    """The venue may not be asked now; nothing was done there."""

    def __init__(self, message: str | None = None, *, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s
        """Seconds after which it may be asked again; 0 where the venue named none."""


class Refused(RatchetError):
    """A definite no."""


class Denied(Refused):
    """One of our own rules said no; nothing was sent."""


class VenueRejected(Refused):
    """The venue said no; nothing is open there because of it."""


class VenueForbids(Refused):
    """The venue refuses this account or its key; nothing more is asked of it until a person has looked."""


class JournalError(RatchetError):
    """The durable record cannot be written."""


class JournalLocked(JournalError):
    """Another process holds the durable record for writing."""


class JournalSchemaUnknown(JournalError):
    """The durable record was written by another version of the product."""


class Impossible(RatchetError):
    """An invariant does not hold; trading halts until a person has looked."""
