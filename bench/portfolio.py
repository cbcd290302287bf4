"""Weights beside those of other packages, turn by turn in one process: time, and how far they are apart.

`python -m bench.portfolio --returns FILE` measures on returns of your own instead of made ones.
"""

from __future__ import annotations

import argparse
import json
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, in_unit, line
from bench.portfolio_peers import PEERS, Peer
from bench.request import Request
from bench.timing import per_call
from risk.portfolio import solve, weights
from risk.portfolio.bounded import Lines
from risk.portfolio.covariance import covariance
from risk.portfolio.sharpe import max_sharpe

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
SIZES = (10, 50, 200)
PERIODS = 430
METHODS = ("max_sharpe", "min_variance", "risk_parity", "hrp", "inverse_volatility")
OURS = "ratchet"
MOMENTS = "max_sharpe_from_moments"


def run(request: Request) -> Iterator[Figure]:
    """Made returns of a factor model, the same on every machine."""
    yield from measured(made_returns(PERIODS, max(SIZES)), request.repeat)


def measured(returns: pd.DataFrame, repeat: int) -> Iterator[Figure]:
    """Every method at each of the sizes that the table is wide enough for, or at its own width."""
    yield from _presence()
    sizes = [size for size in SIZES if size <= returns.shape[1]] or [returns.shape[1]]
    for size in sizes:
        table = returns.iloc[:, :size]
        for method in METHODS:
            contenders = _from_returns(table, method)
            yield from _compared(method, table, contenders, repeat)
        yield from _compared(MOMENTS, table, _from_moments(table), repeat)
        yield _of_array(table.to_numpy(), repeat)


def made_returns(periods: int, count: int, seed: int = 7) -> pd.DataFrame:
    """Returns with five common factors, fat tails, and volatilities up to four times apart."""
    import pandas as pd

    draw = np.random.default_rng(seed)
    loadings = draw.normal(1.0, 0.5, size=(5, count)) * 0.5
    factors = draw.normal(0.0002, 0.004, size=(periods, 5))
    own = draw.standard_t(5, size=(periods, count)) * draw.uniform(0.005, 0.02, count)
    table = factors @ loadings + own + draw.normal(0.0002, 0.0003, count)
    return pd.DataFrame(table, columns=[f"A{place:03}" for place in range(count)])


def _of_array(returns: Floats, repeat: int) -> Figure:
    return Figure(
        name=f"portfolio.max_sharpe_from_array.{returns.shape[1]}.{OURS}",
        what="solve() on an array, without a table",
        unit="ms",
        values=in_unit(per_call(lambda: solve(returns, "max_sharpe"), repeat), "ms"),
    )


def _presence() -> Iterator[Figure]:
    for peer in PEERS:
        what = "absent: pip install -r requirements/peers.txt" if peer.version is None else peer.version
        yield Figure(
            name=f"portfolio.peer.{peer.name}", what=what, unit="there", values=(float(peer.version is not None),)
        )


def _from_returns(table: pd.DataFrame, method: str) -> dict[str, Callable[[], Any]]:
    contenders: dict[str, Callable[[], Any]] = {OURS: lambda: weights(table, method)}
    for peer in PEERS:
        if peer.version is not None and method in peer.answers:
            contenders[peer.name] = _asked(peer, method, table)
    return contenders


def _asked(peer: Peer, method: str, table: pd.DataFrame) -> Callable[[], Any]:
    return lambda: peer.answers[method](table)


def _from_moments(table: pd.DataFrame) -> dict[str, Callable[[], Any]]:
    import pandas as pd

    returns = table.to_numpy()
    matrix, mean = covariance(returns, None), returns.mean(axis=0)
    lines = Lines.of(np.zeros(mean.size), np.ones(mean.size), None, 0.0)
    contenders: dict[str, Callable[[], Any]] = {OURS: lambda: max_sharpe(mean, matrix, lines, 10_000)[0]}
    named_mean = pd.Series(mean, index=table.columns)
    named_matrix = pd.DataFrame(matrix, index=table.columns, columns=table.columns)
    for peer in PEERS:
        if peer.version is not None and peer.from_moments is not None:
            contenders[peer.name] = _asked_for_moments(peer.from_moments, named_mean, named_matrix)
    return contenders


def _asked_for_moments(answer: Callable[[Any, Any], Any], mean: Any, matrix: Any) -> Callable[[], Any]:
    return lambda: answer(mean, matrix)


def _compared(
    method: str, table: pd.DataFrame, contenders: dict[str, Callable[[], Any]], repeat: int
) -> Iterator[Figure]:
    """Times turn by turn, our time as the unit of the others', and how far their weights are from ours."""
    prefix, size = f"portfolio.{method}.{table.shape[1]}", table.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers: dict[str, Floats] = {}
        for name, work in list(contenders.items()):
            try:
                answers[name] = np.asarray(work(), dtype=np.float64)
            except Exception as failed:  # noqa: BLE001 - other people's failures have no common class, and are told
                del contenders[name]
                told = f"no answer: {type(failed).__name__}: {failed}"[:120].replace("\n", " ")
                yield Figure(name=f"{prefix}.none.{name}", what=told, unit="", values=(1.0,))
        rounds = [{name: per_call(work, 1)[0] for name, work in contenders.items()} for _ in range(repeat)]
    what = f"{method.replace('_', ' ')}, {size} instruments, {table.shape[0]} periods"
    for name in contenders:
        times = in_unit((each[name] for each in rounds), "ms")
        yield Figure(name=f"{prefix}.{name}", what=what, unit="ms", values=times)
    for name in contenders:
        if name != OURS:
            times = tuple(each[name] / each[OURS] for each in rounds)
            yield Figure(name=f"{prefix}.times.{name}", what="their time over ours", unit="x", values=times)
            apart = (float(np.max(np.abs(answers[name] - answers[OURS]))),)
            yield Figure(name=f"{prefix}.apart.{name}", what="largest difference of a weight", unit="", values=apart)
            worse = (_worse(method, table, answers[name], answers[OURS]),)
            yield Figure(name=f"{prefix}.worse.{name}", what="their objective's loss on ours", unit="", values=worse)


def _worse(method: str, table: pd.DataFrame, theirs: Floats, ours: Floats) -> float:
    """By which part their objective is worse than ours: above 0 where ours is the better optimum; 0 without one."""
    returns = table.to_numpy()
    matrix, mean = covariance(returns, None), returns.mean(axis=0)

    def least(held: Floats) -> float:
        variance: float = float(held @ matrix @ held)
        if method.startswith("max_sharpe"):
            return -float(mean @ held) / math.sqrt(variance)
        if method == "risk_parity":
            return float(np.log(variance) / 2 - np.mean(np.log(np.maximum(held, 1e-300))))
        return math.sqrt(variance) if method == "min_variance" else 1.0

    return (least(theirs) - least(ours)) / abs(least(ours))


def _table(path: Path) -> pd.DataFrame:
    """Returns from a parquet or CSV file, one column an instrument; a CSV file's first column is the time."""
    import pandas as pd

    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, index_col=0)
    return table.select_dtypes("number").dropna()


def main() -> None:
    """Measure on the returns of a file, or on made ones."""
    parser = argparse.ArgumentParser(prog="python -m bench.portfolio", description=__doc__)
    parser.add_argument("--returns", type=Path, help="a parquet or CSV file of returns; default: made ones")
    parser.add_argument("--repeat", type=int, default=7, help="measurements of each figure (default 7)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    asked = parser.parse_args()
    returns = made_returns(PERIODS, max(SIZES)) if asked.returns is None else _table(asked.returns)
    for figure in measured(returns, asked.repeat):
        print(json.dumps(figure.document()) if asked.json else line(figure.document()), flush=True)


if __name__ == "__main__":
    main()
