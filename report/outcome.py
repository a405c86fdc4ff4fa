"""What became of each day of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from common.books import Books
from common.clock import local_of
from common.config import BatterySpec
from common.tariff import Tariff
from report.accounts import Accounts, accounts, residuals, spans
from report.observed import Bounds, Observed, PeakLoad, peak_load


@dataclass(frozen=True)
class DayOutcome:
    """What became of one day (or of several in a row that were one span).

    Attributes:
        day: first local day, YYYY-MM-DD.
        paid: the homes' accounts.
        peak: what the community drew.
        bounds: costs of the community that :class:`report.observed.Bounds` names, n$, by its fields' names; what was
            not computed is absent, and all of it where a home did not report.
        money_residual_nusd, energy_residual_wh: zero in sound books.
    """

    day: str
    paid: Accounts
    peak: PeakLoad
    bounds: Mapping[str, int]
    trades: int
    money_residual_nusd: int
    energy_residual_wh: int

    @property
    def optimum_nusd(self) -> int | None:
        """Cost of the community's perfect-foresight optimum; None where it is not known."""
        return self.bounds.get("optimum_nusd")

    @property
    def date(self) -> date:
        """Its first local day."""
        return date.fromisoformat(self.day)


def day_outcome(
    books: Books,
    tariff: Tariff,
    battery: BatterySpec,
    observed: Observed | None = None,
    bounds: Bounds | None = None,
) -> DayOutcome:
    """Outcome of the one span in ``books`` (see :func:`report.accounts.by_span`)."""
    money, energy = residuals(books)
    paid = accounts(books)
    known = vars(bounds) if bounds is not None and paid.reported.all() else {}
    return DayOutcome(
        day=local_of(spans(books)[0].start).date().isoformat(),
        paid=paid,
        peak=peak_load(books, tariff, observed),
        bounds={name: sum(costs.values()) for name, costs in known.items() if costs is not None},
        trades=len(books.trades),
        money_residual_nusd=money,
        energy_residual_wh=energy,
    )
