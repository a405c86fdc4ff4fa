"""What a home may say that is not true: of its plan, of its orders' limits, of what it has to sell."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from common.messages import CURVE_SLOTS, HomeReply, Plan

Lie = Callable[[HomeReply], HomeReply]


def _in_plan(told: Callable[[Plan], Mapping[str, tuple[int, ...]]]) -> Lie:
    """A plan with other energies."""

    def lie(reply: HomeReply) -> HomeReply:
        if reply.plan is None:
            return reply
        return reply.model_copy(update={"plan": reply.plan.model_copy(update=told(reply.plan))})

    return lie


def plans_times(factor: float) -> Lie:
    """A plan of so much more need, charging, surplus and stored energy."""
    names = ("need_wh", "charge_wh", "surplus_wh", "stored_wh", "spare_wh")
    return _in_plan(lambda plan: {name: tuple(round(wh * factor) for wh in getattr(plan, name)) for name in names})


def pretends_stored(energy_wh: int) -> Lie:
    """A plan of so much stored after the dear hours, all of it spare, whatever there is."""
    return _in_plan(lambda _: dict.fromkeys(("stored_wh", "spare_wh"), (energy_wh,) * CURVE_SLOTS))


def shaded(share: float) -> Lie:
    """Bids so much lower and offers so much higher than what the energy is worth."""

    def lie(reply: HomeReply) -> HomeReply:
        orders = tuple(
            o.model_copy(update={"limit_uusd": round(o.limit_uusd * (1 - share if o.side == "buy" else 1 + share))})
            for o in reply.orders
        )
        return reply.model_copy(update={"orders": orders})

    return lie


def withheld(share: float) -> Lie:
    """So much less offered for sale than there is."""

    def lie(reply: HomeReply) -> HomeReply:
        orders = tuple(
            o if o.side == "buy" else o.model_copy(update={"energy_wh": max(1, round(o.energy_wh * (1 - share)))})
            for o in reply.orders
        )
        return reply.model_copy(update={"orders": orders})

    return lie


LIES: dict[str, Lie] = {
    "plans doubled": plans_times(2.0),
    "plans halved": plans_times(0.5),
    "10 kWh spare": pretends_stored(10_000),
    "limits 10 % shaded": shaded(0.1),
    "offers 20 % less": withheld(0.2),
}
