"""What crossing the spread costs where the data does not say: a share of the price."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from domain.bars import BarSeries, Floats
from domain.instruments import Instrument


def modelled_half_spread(instrument: Instrument, price: Floats) -> Floats:
    """Half of the instrument's modelled bid-ask spread at each price, in price units."""
    return price * (float(instrument.spread_bps) / 20_000)


def with_spread(series: BarSeries, instrument: Instrument) -> BarSeries:
    """`series` with modelled half spreads where its data has none; from the open, so they are known when it opens."""
    missing = ~np.isfinite(series.half_spread)
    if not bool(missing.any()):
        return series
    half_spread = np.where(missing, modelled_half_spread(instrument, series.open), series.half_spread)
    return replace(series, half_spread=half_spread)
