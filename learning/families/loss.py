"""What probabilities are judged by here: the weighted log-loss."""

from __future__ import annotations

import numpy as np

from learning.portable.odds import NEAREST
from learning.table import Floats, Ints


def losses(p: Floats, y: Ints) -> Floats:
    """Nats that each label cost who said `p`. `p` is n or n x m, `y` is n; the result has the shape of `p`.

    Probabilities are held off 0 and 1 as models hold theirs, so that one wrong certainty costs 14 nats and no more.
    """
    held = np.clip(p, NEAREST, 1.0 - NEAREST)
    labels = y if p.ndim == 1 else y[:, None]
    found: Floats = -np.log(np.where(labels == 1, held, 1.0 - held))
    return found


def log_loss(p: Floats, y: Ints, w: Floats) -> float:
    """The weighted mean of the losses, in nats; knowing nothing of a balanced sample costs 0.693."""
    return float(np.average(losses(p, y), weights=w))
