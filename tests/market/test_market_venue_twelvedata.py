"""TwelveData over real HTTP on loopback: rows read exactly, faults told apart, the key never shown, the budget kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from domain.clock import SteppedClock
from domain.errors import (
    ConfigurationRefused,
    InvalidInput,
    RatchetError,
    VenueBusy,
    VenueForbids,
    VenueUnavailable,
)
from domain.instruments import Timeframe
from market.call_budget import CallBudget
from market.twelvedata import TwelveData
from market.venue_feed import REJECTIONS

KEY = "canary-5a1d"
NOW = datetime(2018, 6, 5, 12, 0, 10, tzinfo=UTC)
SINCE, UNTIL = datetime(2018, 6, 5, 7, tzinfo=UTC), datetime(2018, 6, 5, 12, tzinfo=UTC)
META = {"symbol": "GBP/USD", "interval": "1h"}


class Kept:
    """The budget's store, in memory."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text

    def load(self) -> str | None:
        return self.text

    def save(self, text: str) -> None:
        self.text = text


class Server:
    """Answers every request with `status` and `body`, and remembers what was asked."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"
        self.requests: list[tuple[dict[str, str], dict[str, str]]] = []
        self.hangs_up = False

    def answers(self, body: object, status: int = 200) -> None:
        self.status, self.body = status, body if isinstance(body, bytes) else json.dumps(body).encode()

    def gives(self, *rows: dict, **meta: str) -> None:
        self.answers({"meta": {**META, **meta}, "values": list(rows), "status": "ok"})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        target = urlsplit(first.split(" ")[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        self.requests.append(({**query, "path": target.path}, headers))
        if not self.hangs_up:
            start = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.body)}\r\nConnection: close\r\n"
            moved = "Location: /elsewhere\r\n" if 300 <= self.status < 400 else ""
            writer.write((start + moved + "\r\n").encode() + self.body)
            await writer.drain()
        writer.close()
        await writer.wait_closed()


class Scene:
    def __init__(self, server: Server, source: TwelveData, clock: SteppedClock, kept: Kept, budget: CallBudget) -> None:
        self.server, self.source, self.clock, self.kept, self.budget = server, source, clock, kept, budget

    async def bars(self, since=SINCE, until=UNTIL, timeframe=Timeframe.H1, symbol="GBPUSD"):
        return await self.source.bars(symbol, timeframe, since, until=until)


@asynccontextmanager
async def provider(per_minute: int = 8, per_day: int = 800) -> AsyncIterator[Scene]:
    answering = Server()
    server = await asyncio.start_server(answering.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clock, kept = SteppedClock(NOW), Kept()
    budget = CallBudget(provider="TwelveData", per_minute=per_minute, per_day=per_day, clock=clock, store=kept)
    async with server, httpx.AsyncClient(trust_env=False) as client:
        source = TwelveData(
            client=client,
            key=KEY,
            symbols={"GBPUSD": "GBP/USD"},
            budget=budget,
            base_url=f"http://127.0.0.1:{port}",
        )
        yield Scene(answering, source, clock, kept, budget)


def row(hour: int, **changes: object) -> dict:
    opens = f"2018-06-05 {hour:02}:00:00"
    return {"datetime": opens, "open": "1.30", "high": "1.40", "low": "1.20", "close": "1.35", **changes}


async def test_a_recorded_answer_is_read_exactly(market_data: Path):
    text = (market_data / "payloads" / "derived_twelvedata_time_series.json").read_bytes()
    values = json.loads(text)["values"]
    async with provider() as scene:
        scene.server.answers(text)
        bars = await scene.bars(since=datetime(2018, 1, 1, tzinfo=UTC))
    assert len(bars) == len(values) > 10
    assert [bar.opened_at for bar in bars] == sorted(bar.opened_at for bar in bars)
    newest = bars[-1]
    assert (newest.open, newest.high, newest.low, newest.close) == (1.33583, 1.33689, 1.33512, 1.33576)
    assert newest.opened_at == datetime(2018, 6, 5, 11, tzinfo=UTC)
    assert newest.volume is None
    assert scene.source.rejected == {}


async def test_what_is_asked_names_the_bars_wanted_and_the_key_travels_in_a_header_alone():
    async with provider() as scene:
        scene.server.gives(row(11), row(10))
        await scene.bars()
        asked, headers = scene.server.requests[0]
    assert asked == {
        "path": "/time_series",
        "symbol": "GBP/USD",
        "interval": "1h",
        "start_date": "2018-06-05 07:00:00",
        "end_date": "2018-06-05 11:00:00",
        "outputsize": "5000",
        "timezone": "UTC",
        "order": "DESC",
    }
    assert headers["authorization"] == f"apikey {KEY}"


async def test_bars_outside_of_what_was_asked_for_and_bars_still_open_are_left_out():
    async with provider() as scene:
        scene.server.gives(row(12), row(11, volume="12.5"), row(7), row(6))
        bars = await scene.bars()
    assert [bar.opened_at.hour for bar in bars] == [7, 11]
    assert bars[-1].volume == 12.5


async def test_rows_that_are_no_bars_are_counted_by_kind():
    async with provider() as scene:
        scene.server.gives(
            row(11, close="NaN"),
            row(10, open=None),
            row(9, low="0"),
            row(8, high="1.10"),
            row(7, datetime="yesterday"),
            row(7, datetime="2018-13-01 00:00:00"),
            row(7, close="1_3"),
            row(7),
        )
        bars = await scene.bars()
    assert len(bars) == 1
    counts = {"nan": 3, "not_positive": 1, "high_low": 1, "time": 2}
    assert scene.source.rejected == {("GBPUSD", kind): count for kind, count in counts.items()}
    assert counts.keys() <= set(REJECTIONS)


async def test_a_daily_bar_is_named_by_its_date():
    async with provider() as scene:
        scene.server.gives(row(0, datetime="2018-06-04"), interval="1day")
        bars = await scene.bars(since=datetime(2018, 6, 1, tzinfo=UTC), timeframe=Timeframe.D1)
    assert [bar.opened_at for bar in bars] == [datetime(2018, 6, 4, tzinfo=UTC)]


async def test_more_than_five_thousand_bars_take_more_than_one_call():
    async with provider() as scene:
        scene.server.gives(interval="1min")
        until = SINCE + timedelta(minutes=12_000)
        assert await scene.bars(until=until, timeframe=Timeframe.M1) == []
        starts = [asked["start_date"] for asked, _ in scene.server.requests]
    assert starts == [f"{SINCE + timedelta(minutes=5000 * number):%Y-%m-%d %H:%M:%S}" for number in range(3)]


FAULTS = [
    (200, {"code": 401, "message": f"apikey {KEY} is wrong", "status": "error"}, VenueForbids),
    (200, {"code": 403, "message": "your plan", "status": "error"}, VenueForbids),
    (403, b"<html>no</html>", VenueForbids),
    (200, {"code": 400, "message": "symbol is invalid", "status": "error"}, InvalidInput),
    (200, {"code": 404, "message": "symbol not found", "status": "error"}, InvalidInput),
    (200, {"code": 429, "message": "out of credits for the current minute", "status": "error"}, VenueBusy),
    (429, b"", VenueBusy),
    (200, {"code": 500, "message": "internal", "status": "error"}, VenueUnavailable),
    (503, b"<html>later</html>", VenueUnavailable),
    (200, b'{"meta": {"symbol": "GBP/USD", "inter', VenueUnavailable),
    (200, b"[]", VenueUnavailable),
    (200, {}, VenueUnavailable),
    (200, {"status": "error"}, VenueUnavailable),
    (200, {"status": "ok", "meta": {**META, "symbol": "EUR/USD"}, "values": []}, VenueUnavailable),
    (200, {"status": "ok", "meta": {**META, "interval": "5min"}, "values": []}, VenueUnavailable),
    (200, {"status": "ok", "meta": META, "values": None}, VenueUnavailable),
    (302, b"", VenueUnavailable),
    (200, b" " * 4_000_001, VenueUnavailable),
]


@pytest.mark.parametrize(("status", "body", "error"), FAULTS)
async def test_each_fault_is_the_error_that_says_what_to_do_and_none_shows_the_key(status, body, error):
    async with provider() as scene:
        scene.server.answers(body, status)
        with pytest.raises(RatchetError) as caught:
            await scene.bars()
        assert len(scene.server.requests) == 1
    assert type(caught.value) is error
    assert KEY not in str(caught.value)
    assert KEY not in repr(scene.source)


async def test_no_data_in_the_range_is_an_answer_without_bars():
    async with provider() as scene:
        scene.server.answers(
            {"code": 400, "message": "No data is available on the specified dates.", "status": "error"}
        )
        assert await scene.bars() == []


async def test_a_connection_that_breaks_is_no_answer():
    async with provider() as scene:
        scene.server.hangs_up = True
        with pytest.raises(VenueUnavailable, match="TwelveData did not answer: RemoteProtocolError"):
            await scene.bars()


async def test_what_it_does_not_have_is_refused_without_a_call():
    async with provider() as scene:
        with pytest.raises(InvalidInput, match="no bars of 1s"):
            await scene.bars(timeframe=Timeframe.S1)
        with pytest.raises(InvalidInput, match="no name of BTCUSDT"):
            await scene.bars(symbol="BTCUSDT")
        assert await scene.bars(until=SINCE) == []
        assert scene.server.requests == []


@pytest.mark.parametrize(
    "address", ["http://api.twelvedata.com", "ftp://127.0.0.1", "https://user@host", "http://10.0.0.1", "nonsense"]
)
def test_the_key_is_not_sent_in_the_clear(address):
    budget = CallBudget(provider="x", per_minute=1, per_day=1, clock=SteppedClock(NOW), store=Kept())
    with pytest.raises(ConfigurationRefused, match="must be https"):
        TwelveData(client=httpx.AsyncClient(), key=KEY, symbols={}, budget=budget, base_url=address)


@pytest.mark.parametrize("key", ["", "two\nlines", "schlüssel"])
def test_a_key_that_no_header_may_hold_is_refused_without_showing_it(key):
    budget = CallBudget(provider="x", per_minute=1, per_day=1, clock=SteppedClock(NOW), store=Kept())
    with pytest.raises(ConfigurationRefused) as caught:
        TwelveData(client=httpx.AsyncClient(), key=key, symbols={}, budget=budget)
    assert not key or key not in str(caught.value)


# -- the budget -----------------------------------------------------------------------------------------------------


async def test_the_budget_of_the_minute_is_kept_and_opens_again():
    async with provider(per_minute=2) as scene:
        scene.server.gives(row(11))
        await scene.bars()
        await scene.bars()
        with pytest.raises(VenueBusy, match="calls of the minute are spent") as caught:
            await scene.bars()
        assert caught.value.wait_s == 50
        assert len(scene.server.requests) == 2
        scene.clock.move_to(NOW + timedelta(seconds=50))
        assert await scene.bars()


async def test_a_call_that_the_provider_refuses_for_its_rate_ends_the_minute():
    async with provider() as scene:
        scene.server.answers({"code": 429, "status": "error"})
        with pytest.raises(VenueBusy, match="says that its calls") as caught:
            await scene.bars()
        assert caught.value.wait_s == 50
        with pytest.raises(VenueBusy):
            await scene.bars()
        assert len(scene.server.requests) == 1


def test_the_budget_of_the_day_outlasts_a_restart():
    clock, kept = SteppedClock(NOW), Kept()
    for _ in range(3):
        CallBudget(provider="x", per_minute=9, per_day=3, clock=clock, store=kept).take()
    budget = CallBudget(provider="x", per_minute=9, per_day=3, clock=clock, store=kept)
    assert budget.left_today == 0
    with pytest.raises(VenueBusy, match="calls of the day are spent") as caught:
        budget.take()
    assert caught.value.wait_s == 12 * 3600 - 10
    clock.move_to(datetime(2018, 6, 6, tzinfo=UTC))
    budget.take()
    assert budget.left_today == 2


def test_a_clock_that_goes_back_opens_no_new_minute():
    kept = Kept()
    CallBudget(provider="x", per_minute=1, per_day=9, clock=SteppedClock(NOW), store=kept).take()
    earlier = SteppedClock(NOW - timedelta(days=1))
    with pytest.raises(VenueBusy):
        CallBudget(provider="x", per_minute=1, per_day=9, clock=earlier, store=kept).take()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"minute": "a"}'])
def test_a_stored_budget_that_cannot_be_read_counts_as_a_spent_minute(text):
    clock = SteppedClock(NOW)
    budget = CallBudget(provider="x", per_minute=5, per_day=9, clock=clock, store=Kept(text))
    with pytest.raises(VenueBusy, match="minute"):
        budget.take()
    clock.move_to(NOW + timedelta(minutes=1))
    budget.take()


@pytest.mark.parametrize(("minute", "day"), [(0, 1), (1, 0)])
def test_a_budget_of_nothing_is_refused(minute, day):
    with pytest.raises(InvalidInput, match="1 or more"):
        CallBudget(provider="x", per_minute=minute, per_day=day, clock=SteppedClock(NOW), store=Kept())
