"""The slow, obvious matchers: fractions for the shares, one watt-hour at a time for prices and pairing.

Written from the rules in ``docs/market.md``, without a look at the fast ones.
"""

from fractions import Fraction
from hashlib import blake2b
from math import ceil, floor

MASK = 2**64 - 1


def matched(slot, price_uusd, orders, rules, seed, mechanism="sdr"):
    """Rows (buyer, seller, delivered_wh, injected_wh, price_uusd), in the order of the trades."""
    arrives = 1 - Fraction(rules.loss_num, rules.loss_den)
    buys, sells = [], []  # (home, energy that arrives, limit within the bounds, limit as sent)
    for order in orders:
        limit = min(max(order.limit_uusd, rules.floor_uusd), rules.ceiling_uusd)
        if order.side == "buy" and order.limit_uusd >= rules.floor_uusd:
            buys.append((order.home_id, order.energy_wh, limit, order.limit_uusd))
        if order.side == "sell" and order.limit_uusd <= rules.ceiling_uusd:
            sells.append((order.home_id, floor(order.energy_wh * arrives), limit, order.limit_uusd))

    def place(row):
        return _place(row[0], slot, seed)

    buys.sort(key=lambda row: (place(row), -row[3], row[1]))
    sells.sort(key=lambda row: (place(row), row[3], row[1]))
    if mechanism == "pay-as-bid":
        pairs = _keenest_first(buys, sells)
    elif mechanism == "uniform":
        price_uusd = _crossing(buys, sells, rules)
        pairs = [] if price_uusd is None else _call(buys, sells, price_uusd)
    else:
        pairs = _posted(buys, sells, price_uusd)
    return _lots(pairs, rules, arrives)


def _place(home_id, slot, seed):
    """splitmix64's finaliser, of the home's digest and the slot's."""
    word, key = (int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) for text in (home_id, f"{seed}/{slot}"))
    word ^= key
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & MASK
    return word ^ (word >> 31)


def _shares(wanted_wh, total_wh):
    """Shares of a total by largest remainders; the earlier one in a tie."""
    if total_wh == 0:
        return [0] * len(wanted_wh)
    exact = [Fraction(wh * total_wh, sum(wanted_wh)) for wh in wanted_wh]
    shares = [floor(share) for share in exact]
    for at in sorted(range(len(exact)), key=lambda i: shares[i] - exact[i])[: total_wh - sum(shares)]:
        shares[at] += 1
    return shares


def _posted(buys, sells, price_uusd):
    """Units (buyer, seller, price, key of the pair) of those who agree to the price."""
    buys, sells = [b for b in buys if b[2] >= price_uusd], [s for s in sells if s[2] <= price_uusd]
    total = min(sum(b[1] for b in buys), sum(s[1] for s in sells))
    bought, sold = _shares([b[1] for b in buys], total), _shares([s[1] for s in sells], total)
    return _zip_homes(buys, bought, sells, sold, price_uusd)


def _crossing(buys, sells, rules):
    """Middle of the prices between the last unit that trades and the first that does not; None without trade."""
    bids = sorted((b[2] for b in buys for _ in range(b[1])), reverse=True)
    asks = sorted(s[2] for s in sells for _ in range(s[1]))
    units = sum(bid >= ask for bid, ask in zip(bids, asks, strict=False))
    if units == 0:
        return None
    lowest = max([asks[units - 1], *bids[units : units + 1]])
    highest = min([bids[units - 1], *asks[units : units + 1]])
    return (lowest + highest) // 2


def _call(buys, sells, price_uusd):
    demand, supply = (
        sum(row[1] for row in rows)
        for rows in ([b for b in buys if b[2] >= price_uusd], [s for s in sells if s[2] <= price_uusd])
    )
    total = min(demand, supply)

    def fill(rows, better):
        whole = [row[1] if better(row) else 0 for row in rows]
        marginal = _shares([row[1] if row[2] == price_uusd else 0 for row in rows], total - sum(whole))
        return [a + b for a, b in zip(whole, marginal, strict=True)]

    bought, sold = fill(buys, lambda b: b[2] > price_uusd), fill(sells, lambda s: s[2] < price_uusd)
    return _zip_homes(buys, bought, sells, sold, price_uusd)


def _zip_homes(buys, bought, sells, sold, price_uusd):
    buyers = [row[0] for row, wh in zip(buys, bought, strict=True) for _ in range(wh)]
    sellers = [row[0] for row, wh in zip(sells, sold, strict=True) for _ in range(wh)]
    return [(b, s, price_uusd, (b, s)) for b, s in zip(buyers, sellers, strict=True)]


def _keenest_first(buys, sells):
    bids = [(i, row) for i, row in sorted(enumerate(buys), key=lambda x: -x[1][2]) for _ in range(row[1])]
    asks = [(i, row) for i, row in sorted(enumerate(sells), key=lambda x: x[1][2]) for _ in range(row[1])]
    return [
        (bid[0], ask[0], (bid[2] + ask[2]) // 2, (i, j))
        for (i, bid), (j, ask) in zip(bids, asks, strict=False)
        if bid[2] >= ask[2]
    ]


def _lots(pairs, rules, arrives):
    rows, last, delivered_by, injected_by = [], None, {}, {}
    for buyer, seller, price_uusd, key in pairs:
        delivered_by[seller] = delivered_by.get(seller, 0) + 1
        injected_wh = ceil(delivered_by[seller] / arrives) - injected_by.get(seller, 0)
        injected_by[seller] = injected_by.get(seller, 0) + injected_wh
        if key == last and rows[-1][2] < rules.lot_wh:
            rows[-1][2] += 1
            rows[-1][3] += injected_wh
        else:
            rows.append([buyer, seller, 1, injected_wh, price_uusd])
        last = key
    return [tuple(row) for row in rows]
