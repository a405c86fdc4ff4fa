"""Orders for an auction: a home's demand or supply curve, in steps.

At a posted price one quantity says all.  An auction finds the price when the orders are in, so a home says how much it
would trade at several prices: each step is what it wants beyond the steps before it, at what that energy is worth.
"""

from __future__ import annotations

import numpy as np

from client.battery import Ints
from client.trading import Offers, Position, size_orders
from client.value import StoredValue
from common.config import MarketRules


def offered(
    position: Position, price_uusd: int, sell_left_wh: Ints, rules: MarketRules, most_orders: int
) -> tuple[Offers, ...]:
    """What homes send to the market: one order each at a posted price, or a ladder where several are taken.

    Args:
        position: of the homes.
        price_uusd: price that central broadcast; a home's ladder is on the side on which it would trade at it.
        sell_left_wh: what is left of the day's sell limit, injected Wh, shape ``(H,)``.
        rules: of the market.
        most_orders: that the market takes from a home in a slot.

    Returns:
        The orders, a tuple of steps; no home expects to lose by any Wh of them.
    """
    if most_orders == 1:
        return (size_orders(position, price_uusd, sell_left_wh, rules),)
    lowest, highest = sorted(
        int(np.clip(bound, rules.floor_uusd, rules.ceiling_uusd))
        for bound in (position.export_uusd, position.import_uusd)
    )
    levels = np.linspace(lowest, highest, most_orders + 1).astype(np.int64)
    posted, *sized = _sized(position, np.append(price_uusd, levels), sell_left_wh, rules)
    buys, sells = posted.buy_wh > 0, posted.sell_wh > 0
    nothing = np.zeros_like(posted.buy_wh)
    steps: list[Offers] = []
    bought, sold = nothing, nothing
    for bid, ask in zip(reversed(sized[:-1]), sized[1:], strict=True):
        # A bid's level falls and an ask's level rises from step to step, so both energies grow.
        more_bought, more_sold = np.maximum(bid.buy_wh, bought), np.maximum(ask.sell_wh, sold)
        limit = np.where(buys, bid.limit_uusd, ask.limit_uusd)
        steps.append(Offers(np.where(buys, more_bought - bought, 0), np.where(sells, more_sold - sold, 0), limit))
        bought, sold = more_bought, more_sold
    return tuple(steps)


def _sized(position: Position, prices_uusd: Ints, sell_left_wh: Ints, rules: MarketRules) -> list[Offers]:
    """Orders at each of several prices, all in one pass over the homes repeated."""
    homes = len(position.bank)
    row = np.tile(np.arange(homes), len(prices_uusd))
    repeated = Position(
        bank=position.bank.homes(row),
        stored_kwh=position.stored_kwh[row],
        value=StoredValue(position.value.edge_kwh[row], position.value.value_nusd[row]),
        net_wh=position.net_wh[row],
        import_uusd=position.import_uusd,
        export_uusd=position.export_uusd,
        limit_worth_uusd=np.broadcast_to(position.limit_worth_uusd, homes)[row],
    )
    offers = size_orders(repeated, np.repeat(prices_uusd, homes), sell_left_wh[row], rules)
    parts = [slice(at, at + homes) for at in range(0, len(row), homes)]
    return [Offers(offers.buy_wh[part], offers.sell_wh[part], offers.limit_uusd[part]) for part in parts]
