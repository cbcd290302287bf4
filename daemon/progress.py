"""Live progress of a long run on standard error: how far, how fast, what the account is worth."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from domain.decisions import Outcome, OutcomeKind
from domain.records import EquityPoint, Scan
from trading.observer import Observer

REDRAW_EVERY_BARS = 50


class RunProgress(Observer):
    """A progress bar over bars; quiet where standard error is not a terminal, but for a line each tenth."""

    def __init__(self, *, title: str, total: int, currency: str, quiet: bool) -> None:
        self._console = Console(stderr=True)
        self._title = title
        self._total = max(total, 1)
        self._currency = currency
        self._quiet = quiet
        self._bars = 0
        self._shown = 0
        self._trades = 0
        self._equity = ""
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if not self._quiet and self._console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[account]}"),
                console=self._console,
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task(self._title, total=self._total, account="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def marked(self, point: EquityPoint) -> None:
        self._equity = f"{point.equity:,.2f} {self._currency}, {point.open_positions} open"

    def resolved(self, outcome: Outcome) -> None:
        self._trades += outcome.kind is OutcomeKind.REAL

    def scanned(self, scan: Scan, seconds: float) -> None:  # noqa: ARG002 - the port's signature
        self._bars += scan.bars
        if self._bars - self._shown < REDRAW_EVERY_BARS:
            return
        tenth = self._bars * 10 // self._total > self._shown * 10 // self._total
        self._shown = self._bars
        account = f"{self._equity}, {self._trades} trades closed"
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=self._bars, account=account)
        elif not self._quiet and tenth:
            done = min(self._bars / self._total, 1.0)
            self._console.print(f"{self._title}: {done:4.0%}, {account}", highlight=False, soft_wrap=True)
