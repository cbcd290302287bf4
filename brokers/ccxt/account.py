"""What the account is made of: how it is founded in the log, and the venue's holdings as our report of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from brokers.ccxt.absence import BORN_AT
from brokers.ccxt.log import Asset, Log
from brokers.ccxt.story import FOUNDED_AT, PAID_ELSEWHERE, Story
from brokers.ccxt.translate import report_of
from brokers.protocol import VenueReport
from domain.clock import Clock
from domain.errors import ConfigurationRefused, VenueUnavailable
from domain.instruments import Instrument
from domain.numbers import ZERO
from domain.records import CashEvent, CashKind
from venues.link import AccountLink
from venues.records import Holdings, MarketKind, VenueOrder

FOUNDINGS = "foundings"
BALANCE_SEEN = "balance_seen"
"""The balance of the last report that could be believed."""
OWNER = ("account", "venue", "market", "currency")


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One account's holdings. On spot what lay there at the founding is not ours: testnets hand out coins."""

    log: Log
    link: AccountLink
    story: Story
    name: str
    currency: str
    instruments: Mapping[str, Instrument]
    clock: Clock

    def demand_owner(self) -> bool:
        """Whether the log is founded; raises `ConfigurationRefused` when it is another account's."""
        told = [self.log.meta(name) for name in OWNER]
        if told[0] is None:
            return False
        ours = self._owner()
        if tuple(told) != ours:
            raise ConfigurationRefused(
                f"the venue log {self.log.path} is of account {_worded(told)}, not {_worded(ours)}"
            )
        held = sorted(
            {order.symbol for order in self.log.open_orders()} | {s for s, net in self.log.nets().items() if net}
        )
        unknown = [symbol for symbol in held if symbol not in self.instruments]
        if unknown:
            raise ConfigurationRefused(
                f"the venue log {self.log.path} holds or trades {', '.join(unknown)}, which is no instrument here"
            )
        return True

    async def found(self) -> None:
        """Begin the log with what the account holds, told as a deposit.

        Raises `ConfigurationRefused` for an account without money, which nobody can trade with.
        """
        founded_at = self.clock.now() + self.link.skew
        holdings = await self.link.holdings()
        balance = holdings.totals.get(self.currency, ZERO)
        if balance <= 0:
            raise ConfigurationRefused(
                f"account {self.name} at {self.link.abilities.venue} holds {balance} {self.currency};"
                " it needs some to trade"
            )
        with self.log.writing("founding"):
            self.log.put_meta(zip(OWNER, self._owner(), strict=True))
            self.log.put_meta([(BORN_AT, self.clock.now().isoformat())])
            self._begin(holdings, founded_at, 1)
            self._tell(f"deposit-{self.name}", CashKind.DEPOSIT, balance)

    async def refound(self, believed: Decimal) -> CashEvent:
        """Begin again from what the venue holds now; told as a reset by the difference to `believed`.

        What is held counts as not ours from now on, and what was executed before belongs to what is held.
        Raises `VenueUnavailable` when the venue's answer cannot be believed.
        """
        founded_at = self.clock.now() + self.link.skew
        holdings = await self.link.holdings()
        if not _is_believable(holdings, had_money=True):
            raise VenueUnavailable(f"{self.link.abilities.venue} shows an account with nothing in it")
        number = int(self.log.meta(FOUNDINGS) or 1) + 1
        balance = holdings.totals.get(self.currency, ZERO)
        with self.log.writing("founding"):
            self.log.clear_account()
            self.log.put_meta([(PAID_ELSEWHERE, "0")])
            self._begin(holdings, founded_at, number)
            return self._tell(
                f"reset-{self.name}-{number}-{founded_at.isoformat()}", CashKind.RESET, balance - believed
            )

    async def report(self, open_orders: Sequence[VenueOrder]) -> VenueReport:
        """The venue's view. An answer that shows nothing at all of an account that had money is not complete; the
        balance is then the last one that was believed."""
        holdings = await self.link.holdings()
        seen = Decimal(self.log.meta(BALANCE_SEEN) or 0)
        complete = _is_believable(holdings, had_money=seen > 0)
        balance = holdings.totals.get(self.currency, ZERO) - Decimal(self.log.meta(PAID_ELSEWHERE) or 0)
        if complete and balance != seen:
            with self.log.writing("facts"):
                self.log.put_meta([(BALANCE_SEEN, str(balance))])
        return VenueReport(
            at=self.clock.now(),
            account=self.name,
            currency=self.currency,
            balance=balance if complete else seen,
            positions=MappingProxyType(self._positions(holdings, complete=complete)),
            open_orders=tuple(report_of(order) for order in open_orders),
            complete=complete,
        )

    def _positions(self, holdings: Holdings, *, complete: bool) -> dict[str, Decimal]:
        if self.link.abilities.market is not MarketKind.SPOT:
            return {symbol: held for symbol, held in sorted(holdings.positions.items()) if held != 0}
        if not complete:
            return {}
        assets, positions = self.log.assets(), {}
        for symbol, instrument in sorted(self.instruments.items()):
            asset = assets.get(instrument.base, Asset())
            held = holdings.totals.get(instrument.base, ZERO) - asset.baseline + asset.taken
            if held != 0:
                positions[symbol] = held
        return positions

    def _begin(self, holdings: Holdings, founded_at: datetime, number: int) -> None:
        balance = holdings.totals.get(self.currency, ZERO)
        self.log.put_meta(
            [(FOUNDED_AT, founded_at.isoformat()), (FOUNDINGS, str(number)), (BALANCE_SEEN, str(balance))]
        )
        if self.link.abilities.market is MarketKind.SPOT:
            for asset, total in sorted(holdings.totals.items()):
                self.log.put_asset(asset, Asset(baseline=total))

    def _tell(self, event_id: str, kind: CashKind, amount: Decimal) -> CashEvent:
        cash = CashEvent(event_id=event_id, kind=kind, at=self.clock.now(), amount=amount)
        self.story.tell_cash(cash)
        return cash

    def _owner(self) -> tuple[str, ...]:
        abilities = self.link.abilities
        return (self.name, abilities.venue, abilities.market.value, self.currency)


def _is_believable(holdings: Holdings, *, had_money: bool) -> bool:
    return bool(holdings.totals) or not had_money


def _worded(owner: Sequence[str | None]) -> str:
    account, venue, market, currency = owner
    return f"{account} at {venue} ({market}) in {currency}"
