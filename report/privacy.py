"""What differential privacy the models of a run cost: read from its events, and said in the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from report.events import Event
from report.schema import Privacy


def privacy_of(events: Iterable[Event]) -> Privacy | None:
    """The run's account, from its event of kind ``privacy``; None where there is none."""
    spent = None
    for event in events:
        if event["event"] == "privacy":
            spent = Privacy.model_validate({name: event.get(name) for name in Privacy.model_fields})
    return spent


def print_privacy(privacy: Privacy | None, console: Console) -> None:
    """Print epsilon with what it is for, and whether it protects anybody; nothing without privacy."""
    if privacy is None:
        return
    p = privacy
    text = f"epsilon {p.epsilon:.3g} at delta {p.delta:g} over {p.rounds} rounds; not covered: "
    console.print(f"[bold]Privacy[/]  {text}{', '.join(p.not_covered)}", highlight=False)
    if p.noise_known:
        console.print(
            "[yellow]The noise comes from the published seed: this run is an experiment and protects nobody.[/]"
        )
