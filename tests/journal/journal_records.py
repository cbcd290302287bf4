"""Hypothesis strategies: any record that may exist, of every kind that the journal keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from domain.decisions import (
    Decision,
    DecisionStatus,
    ExitCause,
    FeatureVector,
    MlClass,
    MlView,
    Outcome,
    OutcomeKind,
    Sample,
    SampleSource,
    SentimentView,
    Signal,
    Vote,
)
from domain.holds import Effect, Hold, HoldCause
from domain.instruments import Timeframe
from domain.orders import (
    Action,
    Approval,
    CauseKind,
    Fill,
    Intent,
    Leg,
    Order,
    OrderKind,
    OrderState,
    Side,
    TimeInForce,
)
from domain.positions import Position
from domain.records import (
    CalendarEvent,
    CashEvent,
    CashKind,
    Command,
    EquityPoint,
    Impact,
    Incident,
    JobRun,
    NewsItem,
    Scan,
    TextScore,
)

times = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # zoned by hypothesis
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-/.", min_size=1, max_size=20)
amounts = st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=9)
positive = st.decimals("0.00000001", 10**9, allow_nan=False, allow_infinity=False)
reals = st.floats(-1e12, 1e12)
shares = st.floats(0, 1)
prices = st.floats(1e-6, 1e9)
counts = st.integers(0, 10**9)
sides = st.sampled_from(Side)
timeframes = st.sampled_from(Timeframe)


@st.composite
def signals(draw: st.DrawFn, opened: datetime, timeframe: Timeframe) -> Signal:
    side = draw(sides)
    low, middle, high = sorted(draw(st.lists(prices, min_size=3, max_size=3, unique=True)))
    return Signal(
        instrument=draw(names),
        timeframe=timeframe,
        bar_opened_at=opened,
        side=side,
        technical_score=draw(shares),
        agreement=draw(shares),
        votes=tuple(
            draw(
                st.lists(
                    st.builds(Vote, strategy=names, side=sides, confidence=st.floats(1e-6, 1), reason=words),
                    min_size=1,
                    max_size=4,
                )
            )
        ),
        entry_price=middle,
        stop_price=low if side is Side.BUY else high,
        target_price=high if side is Side.BUY else low,
        atr=draw(prices),
        bars_since_signal=draw(counts),
    )


features = st.builds(
    FeatureVector, schema=names, values=st.dictionaries(names, st.none() | reals, min_size=1, max_size=8)
)
sentiments = st.none() | st.builds(
    SentimentView,
    score=st.none() | st.floats(-1, 1),
    confidence=shares,
    count=counts,
    age_s=st.none() | st.floats(0, 1e9),
    social_score=st.none() | st.floats(-1, 1),
    event_score=st.none() | reals,
)
known_views = st.builds(
    MlView,
    verdict=st.sampled_from([MlClass.PROFITABLE, MlClass.UNPROFITABLE]),
    probability=shares,
    confidence=shares,
    threshold=shares,
    model=names,
    seen=counts,
    why=words,
)
unknown_views = st.builds(
    MlView,
    verdict=st.just(MlClass.UNKNOWN),
    probability=st.none(),
    confidence=st.none(),
    threshold=shares,
    model=names,
    seen=counts,
    why=words,
)


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    opened, timeframe = draw(times), draw(timeframes)
    signal = draw(signals(opened, timeframe))
    status = draw(st.sampled_from(DecisionStatus))
    return Decision(
        decision_id=draw(names),
        account=draw(names),
        instrument=signal.instrument,
        timeframe=timeframe,
        bar_opened_at=opened,
        decided_at=opened + timeframe.span + draw(st.timedeltas(timedelta(0), timedelta(hours=1))),
        signal=signal,
        features=draw(features),
        sentiment=draw(sentiments),
        ml=draw(known_views | unknown_views),
        score=draw(shares),
        status=status,
        reason=draw(words),
        quantity=draw(positive) if status is DecisionStatus.ORDERED else Decimal(0),
        risk_amount=draw(amounts),
        strategy_hash=draw(names),
        numbers=draw(st.dictionaries(words, words, max_size=4)),
    )


@st.composite
def approvals(draw: st.DrawFn) -> Approval:
    granted = draw(times)
    return Approval(
        instrument=draw(names),
        side=draw(sides),
        quantity=draw(positive),
        reduce_only=draw(st.booleans()),
        granted_at=granted,
        expires_at=granted + draw(st.timedeltas(timedelta(microseconds=1), timedelta(days=1))),
        rules=tuple(draw(st.lists(names, max_size=4))),
        limits_digest=draw(names),
    )


@st.composite
def intents(draw: st.DrawFn) -> Intent:
    action, kind, in_force = (draw(st.sampled_from(each)) for each in (Action, OrderKind, TimeInForce))
    return Intent(
        client_order_id=draw(names),
        account=draw(names),
        instrument=draw(names),
        action=action,
        cause_kind=draw(st.sampled_from(CauseKind)),
        cause_id=draw(names),
        leg=draw(st.sampled_from(Leg)),
        attempt=draw(counts),
        side=draw(sides),
        kind=kind,
        quantity=draw(positive),
        created_at=draw(times),
        approval=draw(approvals()),
        position_id=draw(names),
        limit_price=draw(positive) if kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT) else None,
        stop_price=draw(positive) if kind in (OrderKind.STOP, OrderKind.STOP_LIMIT) else None,
        time_in_force=in_force,
        expires_at=draw(times) if in_force is TimeInForce.GTD else None,
        reduce_only=draw(st.booleans()),
        oco_group=draw(st.none() | names),
        target_id=None if action is Action.PLACE else draw(names),
        reason=draw(words),
    )


orders = st.builds(
    Order,
    intent=intents(),
    state=st.sampled_from(OrderState),
    updated_at=times,
    filled=positive,
    average_price=st.none() | positive,
    venue_order_id=st.none() | names,
    reason=words,
    version=counts,
)
fills = st.builds(
    Fill,
    venue=names,
    trade_id=names,
    client_order_id=names,
    instrument=names,
    side=sides,
    quantity=positive,
    price=positive,
    fee=amounts,
    fx_rate=positive,
    at=times,
)
positions = st.builds(
    Position,
    position_id=names,
    account=names,
    instrument=names,
    side=sides,
    opened_at=times,
    updated_at=times,
    quantity=amounts,
    entered=amounts,
    entry_price=amounts,
    exited=amounts,
    exit_price=amounts,
    realized=amounts,
    fees=amounts,
)


@st.composite
def outcomes(draw: st.DrawFn, decision_id: str) -> Outcome:
    opened = draw(times)
    return Outcome(
        outcome_id=draw(names),
        decision_id=decision_id,
        kind=draw(st.sampled_from(OutcomeKind)),
        instrument=draw(names),
        timeframe=draw(timeframes),
        side=draw(sides),
        opened_at=opened,
        closed_at=opened + draw(st.timedeltas(timedelta(0), timedelta(days=90))),
        entry_price=draw(prices),
        exit_price=draw(prices),
        quantity=draw(positive),
        r_net=draw(reals),
        return_net=draw(reals),
        mfe_r=draw(st.floats(0, 1e6)),
        mae_r=draw(st.floats(-1e6, 0)),
        bars_held=draw(counts),
        exit_cause=draw(st.sampled_from(ExitCause)),
        costs_r=draw(reals),
        profit=draw(st.none() | amounts),
        strategies=tuple(draw(st.lists(names, max_size=4))),
        sentiment_state=draw(names),
        model=draw(names),
    )


@st.composite
def samples(draw: st.DrawFn, decision: Decision) -> Sample:
    r_net = draw(reals)
    return Sample(
        decision_id=decision.decision_id,
        decided_at=decision.decided_at,
        resolved_at=decision.decided_at + draw(st.timedeltas(timedelta(0), timedelta(days=90))),
        instrument=decision.instrument,
        side=decision.signal.side,
        strategy=draw(names),
        features=decision.features,
        r_net=r_net,
        label=int(r_net > 0),
        weight=draw(st.floats(1e-6, 1e6)),
        source=draw(st.sampled_from(SampleSource)),
    )


@st.composite
def holds(draw: st.DrawFn) -> Hold:
    end = draw(st.sampled_from(["until", "condition", "latched"]))
    cleared = draw(st.booleans())
    return Hold(
        hold_id=draw(names),
        cause=draw(st.sampled_from(HoldCause)),
        effect=draw(st.sampled_from(Effect)),
        since=draw(times),
        detail=draw(words),
        scope=draw(st.none() | names),
        until=draw(times) if end == "until" else None,
        condition=draw(words) if end == "condition" else None,
        latched=end == "latched",
        cleared_at=draw(times) if cleared else None,
        cleared_by=draw(words) if cleared else None,
        cleared_why=draw(words) if cleared else None,
        simulated=draw(st.booleans()),
    )


scans = st.builds(
    Scan,
    at=times,
    timeframe=timeframes,
    bars=counts,
    decisions=counts,
    reasons=st.dictionaries(names, counts, max_size=5),
)
cash_events = st.builds(
    CashEvent,
    event_id=names,
    kind=st.sampled_from(CashKind),
    at=times,
    amount=amounts,
    instrument=st.none() | names,
)
equity_points = st.builds(
    EquityPoint,
    at=times,
    balance=amounts,
    floating=amounts,
    equity=amounts,
    peak=amounts,
    drawdown=shares,
    exposure=amounts,
    open_positions=counts,
)
commands = st.builds(
    Command,
    command_id=names,
    at=times,
    name=names,
    who=words,
    why=words,
    arguments=st.dictionaries(words, words, max_size=3),
    simulated=st.booleans(),
)
incidents = st.builds(Incident, incident_id=names, at=times, kind=names, instrument=st.none() | names, detail=words)
job_runs = st.builds(
    JobRun,
    job=names,
    due_at=times,
    started_at=times,
    finished_at=times,
    outcome=names,
    detail=words,
)
news_items = st.builds(
    NewsItem,
    news_id=names,
    received_at=times,
    published_at=times,
    source=words,
    publisher=words,
    author=st.none() | words,
    text=words,
    social=st.booleans(),
)
calendar_events = st.builds(
    CalendarEvent,
    event_id=names,
    at=times,
    precise=st.booleans(),
    currency=names,
    impact=st.sampled_from(Impact),
    name=words,
    actual=st.none() | reals,
    forecast=st.none() | reals,
    previous=st.none() | reals,
)


@st.composite
def text_scores(draw: st.DrawFn) -> TextScore:
    parts = draw(st.lists(st.floats(0.01, 1), min_size=4, max_size=4))
    negative, neutral, positive_part, unknown = (part / sum(parts) for part in parts)
    return TextScore(negative=negative, neutral=neutral, positive=positive_part, unknown=unknown, model=draw(names))
