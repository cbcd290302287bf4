"""Currency codes: which three letters are money, and which coins are used as a quote."""

from __future__ import annotations


def _codes(*lines: str) -> frozenset[str]:
    return frozenset(code for line in lines for code in line.split())


FIAT = _codes(
    "USD EUR JPY GBP CHF CAD AUD NZD SEK NOK DKK PLN CZK HUF TRY ZAR MXN SGD HKD CNH CNY INR KRW THB ILS BRL RUB",
    "RON BGN ISK CLP COP PEN PHP IDR MYR TWD AED SAR QAR KWD BHD OMR JOD EGP NGN KES MAD UAH ARS VND PKR LKR BDT",
)
"""ISO 4217 codes (and the offshore yuan) that quoted pairs are made of."""

METALS = frozenset(("XAU", "XAG", "XPT", "XPD"))
STABLE_COINS = frozenset(("USDT", "USDC", "BUSD", "FDUSD", "TUSD", "DAI", "USDP", "PYUSD"))
COIN_QUOTES = frozenset(("BTC", "ETH", "BNB"))
QUOTES = FIAT | STABLE_COINS | COIN_QUOTES
"""Every currency a price may be quoted in."""


def splits(symbol: str) -> list[tuple[str, str]]:
    """Every way to read `symbol` as a base and a known quote, the longest quote first."""
    return [(symbol[:-size], symbol[-size:]) for size in (5, 4, 3) if len(symbol) > size and symbol[-size:] in QUOTES]


def plain_symbol(text: str) -> str:
    """A symbol without the marks between base and quote: BTC/USDT, BTC_USDT, BTC-USDT:USDT are all BTCUSDT.

    Other symbols come back in capitals and otherwise as they are (BRK-B, CBA.AX).
    """
    name = text.strip().upper().split(":")[0]
    for mark in ("/", "_", "-"):
        base, found, quote = name.partition(mark)
        if found and quote in QUOTES and base.isalnum():
            return base + quote
    return name
