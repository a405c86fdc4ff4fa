"""The command ``python -m datagen validate``: whether generated homes pass for real."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from common.errors import UserError
from datagen.stock import STOCKS


def validate(
    against: Annotated[str, typer.Option(help="real homes, in any format that --data takes")],
    homes: Annotated[int, typer.Option(min=2, help="number of generated homes")] = 40,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    climate: Annotated[
        str, typer.Option(help="climate zone, 1 to 16, or a weather file; by default as the real homes tell")
    ] = "",
    stock: Annotated[
        str, typer.Option(help=f"housing stock: {', '.join(STOCKS)}; by default as the real homes tell")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="folder for validation.json and validation.png")] = None,
) -> None:
    """Compare generated homes with real ones: figures, a two-sample test, and forecasters trained on either."""
    from datagen.validation.picture import draw
    from datagen.validation.report import show, write_json
    from datagen.validation.study import study

    if out is not None and out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; name a folder")
    console = Console()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        found = study(against, homes, seed, climate, stock, tell)
    show(found, console)
    if out is not None:
        options: dict[str, str | int] = {
            "against": found.against, "homes": homes, "seed": seed, "climate": climate, "stock": stock,
        }  # fmt: skip
        write_json(found, options, out / "validation.json")
        draw(found, out / "validation.png")
        console.print(f"figures in {out / 'validation.json'}, a picture in {out / 'validation.png'}", highlight=False)
