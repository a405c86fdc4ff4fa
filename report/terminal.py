"""What every command does around its work: a folder for the results, mistakes in one line, an end by signal."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from common.errors import UserError


@contextmanager
def output_folder(out: Path | None) -> Iterator[Path]:
    """A new, empty folder for the results; a user's mistake leaves nothing half-written in it.

    Raises:
        UserError: it cannot be written, or holds something already.
    """
    folder = (out or Path("outputs") / f"{datetime.now():%Y-%m-%d-%H%M%S}").resolve()
    existed = folder.is_dir()
    if existed and any(folder.iterdir()):
        raise UserError(f"--out {folder}: the folder is not empty; name another, so that nothing is overwritten")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".probe").touch()
        (folder / ".probe").unlink()
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written ({error.strerror})") from None
    try:
        yield folder
    except UserError:
        shutil.rmtree(folder, ignore_errors=True)
        if existed:
            folder.mkdir()
        raise


@contextmanager
def mistakes(failure: type[Exception]) -> Iterator[None]:
    """A user's mistake ends in one line and code 2, a failed run in one line and code 1; a signal ends the run, too.

    Args:
        failure: how a failed run shows.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stopped)
    try:
        yield
    except UserError as error:
        _fail(str(error), 2)
    except failure as error:
        _fail(str(error), 1)
    except OSError as error:  # a full disk, a folder that went away
        _fail(f"{error.strerror or error}: {error.filename or 'no file named'}", 1)
    except KeyboardInterrupt:
        _fail("stopped", 130)


def _stopped(number: int, _: object) -> None:
    """Leave through the open contexts, which end the processes that they started."""
    raise SystemExit(128 + number)


def _fail(text: str, code: int) -> None:
    Console(stderr=True).print(f"[red]error:[/] {escape(text)}", highlight=False, soft_wrap=True)
    raise SystemExit(code)
