"""The futures account: positions, balances, income, leverage, and the listen key of its stream."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from exchange.ledger import LINEAR, Account
from exchange.linear import LinearDesk
from exchange.markets import DAY, HOUR
from exchange.routing import Access, Call, Route, Table
from exchange.shared_world import World
from exchange.symbols import PERPETUAL_ENDS
from exchange.wire import ZERO, Refusal, needed, plain, whole

MAINTENANCE = Decimal("0.005")
HIGHEST_LEVERAGE = 125
DEFAULT_INCOMES = 100
MOST_INCOMES = 1000
FUNDING_EVERY = 8 * HOUR


class LinearAccountRoutes:
    def __init__(self, world: World, desk: LinearDesk) -> None:
        self.world, self.desk = world, desk

    def table(self) -> Table:
        trade, signed, keyed = Access.TRADE, Access.SIGNED, Access.KEY
        return {
            ("GET", "/fapi/v2/positionRisk"): Route(self._risk_of_all, signed, 5, tells="positions"),
            ("GET", "/fapi/v3/positionRisk"): Route(self._risk, signed, 5, tells="positions"),
            ("GET", "/fapi/v2/account"): Route(self._account, signed, 5, tells="account"),
            ("GET", "/fapi/v3/account"): Route(self._account, signed, 5, tells="account"),
            ("GET", "/fapi/v2/balance"): Route(self._balance, signed, 5, tells="balances"),
            ("GET", "/fapi/v3/balance"): Route(self._balance, signed, 5, tells="balances"),
            ("GET", "/fapi/v1/income"): Route(self._income, signed, 30, tells="incomes"),
            ("GET", "/fapi/v1/leverageBracket"): Route(self._brackets, signed),
            ("POST", "/fapi/v1/leverage"): Route(self._leverage, trade),
            ("POST", "/fapi/v1/marginType"): Route(self._margin_type, trade),
            ("GET", "/fapi/v1/positionSide/dual"): Route(lambda call: {"dualSidePosition": False}, signed, 30),
            ("POST", "/fapi/v1/positionSide/dual"): Route(self._one_way, trade),
            ("GET", "/fapi/v1/symbolConfig"): Route(self._settings, signed, 5),
            ("GET", "/fapi/v1/premiumIndex"): Route(self._premium),
            ("POST", "/fapi/v1/listenKey"): Route(self._listen, keyed),
            ("PUT", "/fapi/v1/listenKey"): Route(self._listen, keyed),
            ("DELETE", "/fapi/v1/listenKey"): Route(self._deafen, keyed),
        }

    def _involved(self, account: Account) -> list[str]:
        """Symbols with a position or an open order."""
        return [
            symbol
            for symbol in self.world.linear_rules
            if account.position(symbol).amount
            or any(order.account == account.name for order in self.world.waiting(LINEAR, symbol))
        ]

    def _risk(self, call: Call) -> list[dict[str, Any]]:
        named = call.parameters.get("symbol")
        if named:
            self.world.rules(LINEAR, named)
        return [
            self._position(call.account, each) for each in self._involved(call.account) if named in (None, "", each)
        ]

    def _risk_of_all(self, call: Call) -> list[dict[str, Any]]:
        named = call.parameters.get("symbol")
        if named:
            self.world.rules(LINEAR, named)
        return [self._position(call.account, each) for each in self.world.linear_rules if named in (None, "", each)]

    def _position(self, account: Account, symbol: str) -> dict[str, Any]:
        position, last = account.position(symbol), self.world.market(symbol).last
        margin = self.desk.position_margin(account, symbol)
        orders = self.desk.order_margin(account, symbol)
        return {
            "symbol": symbol,
            "positionSide": "BOTH",
            "positionAmt": plain(position.amount),
            "entryPrice": plain(position.entry),
            "breakEvenPrice": plain(position.entry),
            "markPrice": plain(last),
            "unRealizedProfit": plain(position.unrealized(last)),
            "liquidationPrice": "0",
            "isolatedMargin": "0",
            "notional": plain(position.amount * last),
            "marginAsset": "USDT",
            "isolatedWallet": "0",
            "initialMargin": plain(margin + orders),
            "maintMargin": plain(abs(position.amount) * last * MAINTENANCE),
            "positionInitialMargin": plain(margin),
            "openOrderInitialMargin": plain(orders),
            "adl": 0,
            "bidNotional": "0",
            "askNotional": "0",
            "leverage": str(account.leverage_of(symbol)),
            "marginType": account.margin_type.get(symbol, "cross"),
            "updateTime": position.updated,
        }

    def _asset(self, account: Account, now: int) -> dict[str, Any]:
        wallet, gain = account.wallet, self.desk.unrealized(account)
        held = sum((self.desk.position_margin(account, symbol) for symbol in account.positions), ZERO)
        orders = self.desk.order_margin(account)
        available = plain(max(self.desk.available(account), ZERO))
        return {
            "asset": "USDT",
            "walletBalance": plain(wallet),
            "unrealizedProfit": plain(gain),
            "marginBalance": plain(wallet + gain),
            "maintMargin": "0",
            "initialMargin": plain(held + orders),
            "positionInitialMargin": plain(held),
            "openOrderInitialMargin": plain(orders),
            "crossWalletBalance": plain(wallet),
            "crossUnPnl": plain(gain),
            "availableBalance": available,
            "maxWithdrawAmount": available,
            "updateTime": now,
        }

    def _account(self, call: Call) -> dict[str, Any]:
        asset = self._asset(call.account, call.now)
        positions = []
        for symbol in self._involved(call.account):
            told = self._position(call.account, symbol)
            told["unrealizedProfit"] = told.pop("unRealizedProfit")
            positions.append(told)
        return {
            "canTrade": True,
            "totalWalletBalance": asset["walletBalance"],
            "totalUnrealizedProfit": asset["unrealizedProfit"],
            "totalMarginBalance": asset["marginBalance"],
            "totalInitialMargin": asset["initialMargin"],
            "availableBalance": asset["availableBalance"],
            "assets": [asset],
            "positions": positions,
        }

    def _balance(self, call: Call) -> list[dict[str, Any]]:
        asset = self._asset(call.account, call.now)
        names = ("asset", "crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount", "updateTime")
        return [{**{name: asset[name] for name in names}, "accountAlias": "a", "balance": asset["walletBalance"]}]

    def _income(self, call: Call) -> list[dict[str, Any]]:
        parameters = call.parameters
        since, until = whole(parameters, "startTime"), whole(parameters, "endTime")
        last = call.now if until is None else until
        first = since if since is not None else last - 7 * DAY
        limit = min(whole(parameters, "limit") or DEFAULT_INCOMES, MOST_INCOMES)
        kind, symbol = parameters.get("incomeType"), parameters.get("symbol")
        found = [
            income
            for income in call.account.incomes
            if first <= income.time <= last and kind in (None, income.kind) and symbol in (None, income.symbol)
        ]
        return [
            {
                "symbol": income.symbol,
                "incomeType": income.kind,
                "income": plain(income.amount),
                "asset": "USDT",
                "time": income.time,
                "info": income.kind,
                "tranId": income.tran_id,
                "tradeId": income.trade_id,
            }
            for income in (found[:limit] if since is not None else found[-limit:])
        ]

    def _brackets(self, call: Call) -> list[dict[str, Any]]:
        bracket = {
            "bracket": 1,
            "initialLeverage": HIGHEST_LEVERAGE,
            "notionalCap": 100000000,
            "notionalFloor": 0,
            "maintMarginRatio": float(MAINTENANCE),
            "cum": 0.0,
        }
        return [{"symbol": symbol, "brackets": [bracket]} for symbol in self.world.linear_rules]

    def _leverage(self, call: Call) -> dict[str, Any]:
        symbol = needed(call.parameters, "symbol")
        self.world.rules(LINEAR, symbol)
        leverage = whole(call.parameters, "leverage") or 0
        if not 1 <= leverage <= HIGHEST_LEVERAGE:
            raise Refusal(-4028, f"Leverage {leverage} is not valid")
        call.account.leverage[symbol] = leverage
        return {"leverage": leverage, "maxNotionalValue": "100000000", "symbol": symbol}

    def _margin_type(self, call: Call) -> dict[str, Any]:
        symbol, wanted = needed(call.parameters, "symbol"), needed(call.parameters, "marginType")
        self.world.rules(LINEAR, symbol)
        kind = {"CROSSED": "cross", "ISOLATED": "isolated"}.get(wanted)
        if kind != "cross":
            raise Refusal(-1130, "Data sent for parameter 'marginType' is not valid.")
        raise Refusal(-4046, "No need to change margin type.")

    def _one_way(self, call: Call) -> dict[str, Any]:
        if needed(call.parameters, "dualSidePosition").lower() == "true":
            raise Refusal(-1130, "Data sent for parameter 'dualSidePosition' is not valid.")
        raise Refusal(-4059, "No need to change position side.")

    def _settings(self, call: Call) -> list[dict[str, Any]]:
        return [
            {
                "symbol": symbol,
                "marginType": "CROSSED",
                "isAutoAddMargin": False,
                "leverage": call.account.leverage_of(symbol),
                "maxNotionalValue": "100000000",
            }
            for symbol in self.world.linear_rules
            if call.parameters.get("symbol") in (None, "", symbol)
        ]

    def _premium(self, call: Call) -> Any:
        named = call.parameters.get("symbol")
        if named:
            self.world.rules(LINEAR, named)
            return self._premium_of(named, call.now)
        return [self._premium_of(symbol, call.now) for symbol in self.world.linear_rules]

    def _premium_of(self, symbol: str, now: int) -> dict[str, Any]:
        price = plain(self.world.market(symbol).last)
        return {
            "symbol": symbol,
            "markPrice": price,
            "indexPrice": price,
            "estimatedSettlePrice": price,
            "lastFundingRate": plain(self.world.funding.get(symbol, ZERO)),
            "interestRate": "0",
            "nextFundingTime": min(now - now % FUNDING_EVERY + FUNDING_EVERY, PERPETUAL_ENDS),
            "time": now,
        }

    def _listen(self, call: Call) -> dict[str, Any]:
        key = f"listen{call.account.name}"
        self.world.listen_keys[key] = call.account.name
        return {"listenKey": key}

    def _deafen(self, call: Call) -> dict[str, Any]:
        self.world.listen_keys.pop(f"listen{call.account.name}", None)
        return {}
