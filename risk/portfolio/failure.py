"""How a method says that it has no answer."""

from __future__ import annotations

from typing import Final

from domain.errors import NotAvailable

NO_POSITIVE_MEAN: Final = "no_positive_mean"
NO_VARIANCE: Final = "no_variance"
NOT_CONVERGED: Final = "not_converged"
SINGULAR: Final = "singular"
REASONS: Final = (NO_POSITIVE_MEAN, NO_VARIANCE, NOT_CONVERGED, SINGULAR)
"""Why a solution fell back: the method is not defined here, nothing moved, or its computation did not end."""


class NotSolved(NotAvailable):
    """A method has no answer for these returns; `reason` is one of `REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no weights: {reason}")
        self.reason = reason
