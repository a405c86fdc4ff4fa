"""Shape of ``result.json``; :mod:`report.json_schema` writes its JSON Schema.

Money is in dollars, positive when the homes pay; energy in kWh. A field is null where nobody may know it (readings
in a deployment) or where homes did not report (see ``warnings``), never guessed.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

UsdText = Annotated[str, Field(pattern=r"^(-?\$\d+\.\d{2}|n/a)$")]
PercentText = Annotated[str, Field(pattern=r"^(-?\d+\.\d%|n/a)$")]
WholePercentText = Annotated[str, Field(pattern=r"^(\d+%|n/a)$")]
Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """Base of the parts: frozen, no extra fields, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Figures(Part):
    """The figures as numbers. Costs and savings cover the homes that reported their totals (``homes_counted``).

    Attributes:
        baseline_b0_usd: tariff on gross load. baseline_b1_usd: tariff on net load, no battery, no trade.
        optimized_usd: ``ledger_cost_usd`` + ``stored_energy_value_usd``.
        savings_usd: b1 - optimized. savings_percent_b1: of b1.
        savings_percent_b0: 100 (b0 - optimized) / b0, which includes what the homes' own solar saves.
        traded_kwh: delivered.
        round_trip_efficiency: 0..1, corrected for the change of stored energy.
        stored_energy_value_usd: the stored energy missing at the end, at off-peak price / one-way efficiency,
            and what cars are owed, at the off-peak price; negative: more was there at the end.
        money_residual_nusd, energy_residual_wh: zero in sound books.
        unserved_kwh: load that grid outages left unserved; unserved_battery_only_kwh: the same with batteries that
            never trade; unserved_b1_kwh: the same had the homes no batteries.
    """

    homes: Count
    homes_counted: Count
    baseline_b1_usd: float | None
    baseline_b0_usd: float | None
    optimized_usd: float | None
    savings_usd: float | None
    savings_percent_b1: float | None
    savings_percent_b0: float | None
    trades_executed: Count
    traded_kwh: float
    round_trip_efficiency: float | None
    ledger_cost_usd: float | None
    stored_energy_value_usd: float | None
    money_residual_nusd: Count
    energy_residual_wh: Count
    unserved_kwh: float
    unserved_battery_only_kwh: float
    unserved_b1_kwh: float


class Waterfall(Part):
    """Cost of the community step by step, and beside it the same days decided in other ways.

    Attributes:
        perfect_forecast_usd: the same system with a perfect forecast. look_ahead_3h_usd: with a planner that looks
            three hours ahead and values nothing beyond. time_of_use_rule_usd: with the rule 'fill before the peak,
            follow the load in it' in place of a planner. community_optimum_usd: the least cost with foresight.
        captured_share: (b1 - p2p) / (b1 - optimum), 0..1.
    """

    grid_only_usd: float | None
    own_solar_usd: float | None
    own_battery_usd: float | None
    p2p_usd: float | None
    perfect_forecast_usd: float | None
    look_ahead_3h_usd: float | None
    time_of_use_rule_usd: float | None
    community_optimum_usd: float | None
    captured_share: float | None


class Peak(Part):
    """What the community draws from the grid, without battery and trade (b1) and with (p2p).

    Attributes:
        window_cut_percent: cut of the energy in the tariff's peak window; positive: less is drawn.
        day_max_ratio: the whole span's highest half-hour, p2p over b1; above 1: a rebound peak.
    """

    window_b1_kwh: float | None
    window_p2p_kwh: float
    window_cut_percent: float | None
    day_max_b1_kw: float | None
    day_max_p2p_kw: float
    day_max_ratio: float | None


class Home(Part):
    """One home.

    Attributes:
        p2p_usd: ``ledger_cost_usd`` + ``stored_energy_value_usd``. savings_usd: b1 - p2p.
        bought_kwh: delivered by trades. sold_kwh: injected for trades. imported_kwh, exported_kwh: with the grid.
        worse_off: pays at least a cent more than with its battery alone.
    """

    home_id: str
    b0_usd: float | None
    b1_usd: float | None
    battery_only_usd: float | None
    ledger_cost_usd: float
    stored_energy_value_usd: float | None
    p2p_usd: float | None
    savings_usd: float | None
    bought_kwh: float
    sold_kwh: float
    imported_kwh: float
    exported_kwh: float
    worse_off: bool | None


class TimelineRow(Part):
    """One slot of the community.

    Attributes:
        start_utc, start_local: ISO 8601.
        price_usd_per_kwh: posted price of a delivered kWh. import_..., export_...: the tariff's.
        state_of_charge_percent: mean over the homes at the end of the slot, of the capacity.
        cost_so_far_usd: of all homes by the ledger, up to the end of the slot.
    """

    start_utc: str
    start_local: str
    price_usd_per_kwh: float
    import_usd_per_kwh: float
    export_usd_per_kwh: float
    load_kwh: float | None
    solar_kwh: float | None
    state_of_charge_percent: float | None
    traded_kwh: float
    trades: Count
    imported_kwh: float
    exported_kwh: float
    cost_so_far_usd: float


class Trade(Part):
    """One trade. The buyer pays the price for what is delivered; the seller injects the loss on top."""

    trade_id: int
    start_utc: str
    buyer: str
    seller: str
    delivered_kwh: float
    injected_kwh: float
    price_usd_per_kwh: float
    amount_usd: float


class Round(Part):
    """One FedAvg round.

    Attributes:
        slot: only what was metered before it was learned from.
        loss: mean training loss over the homes.
        validation_base, validation_model: RMSE of the day's load on held-out days, in units of each home's own scale,
            of the linear base, and of the Transformer alone.
        gates: share of the way from the base to the Transformer, per head in the model's order, 0..1.
        seconds: wall time.
    """

    round: Count
    slot: Count
    homes: Count
    loss: float | None
    validation_base: float | None
    validation_model: float | None
    gates: list[float] | None
    seconds: float | None


class Privacy(Part):
    """Differential privacy of the released models.

    Attributes:
        epsilon, delta: for adding or removing one home, without amplification by sampling.
        rounds: models released, the horizon of ``epsilon``.
        clip: norm at which updates were clipped last.
        noise_known: whether the seed that is published with the run gives the noise away; such a run protects nobody.
        not_covered: what was sent without noise.
    """

    epsilon: float
    delta: float
    rounds: int
    clip: float
    noise_known: bool
    not_covered: list[str]


class TariffFacts(Part):
    """Where the tariff comes from, and what a bill at it leaves out (empty for nothing that is known)."""

    label: str
    effective_date: str
    source: str
    notes: str
    left_out: str


class Provenance(Part):
    """What the run was made from; with the same config and data the figures and trades come out the same.

    Attributes:
        versions: of commonwatt, python, flwr, torch.
        data_hash: of the homes' readings.
        days: local days that the slots touch.
    """

    versions: dict[str, str]
    seed: int
    config: dict[str, str | int | float | bool]
    data_hash: str
    tariff: TariffFacts
    started_utc: str
    ended_utc: str
    slots: Count
    days: Count


class Result(Part):
    """``result.json``: the headline as people write it, then the same as numbers, and what it is made of.

    The headline's ``savings`` is the difference of the two costs as shown. ``n/a``: nobody reported totals, or (of a
    percentage) the baseline is not positive. ``privacy`` is null without differential privacy.
    """

    baseline_pge_cost: UsdText
    optimized_cost: UsdText
    savings: UsdText
    savings_percent: PercentText
    trades_executed: Count
    battery_efficiency: WholePercentText
    figures: Figures
    waterfall: Waterfall
    peak: Peak
    homes_worse_off: int | None
    warnings: list[str]
    homes: list[Home]
    timeline: list[TimelineRow]
    trades: list[Trade]
    rounds: list[Round]
    privacy: Privacy | None
    provenance: Provenance
