"""How risk is divided among the instruments: weights from returns, within bounds, net of what trading costs.

`weights` takes a table with named columns, `solve` bare arrays without pandas; both are pure functions.
"""

from risk.portfolio.covariance import ledoit_wolf
from risk.portfolio.failure import REASONS
from risk.portfolio.frames import weights
from risk.portfolio.question import Method
from risk.portfolio.solution import Solution, solve

__all__ = ["REASONS", "Method", "Solution", "ledoit_wolf", "solve", "weights"]
