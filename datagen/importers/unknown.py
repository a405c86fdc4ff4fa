"""Why a source is of no known format, and what would mend it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from common.errors import UserError
from datagen.importers.espi import EXPECTED as EXPECTED_XML
from datagen.importers.espi import read_feed
from datagen.importers.files import SourceFile, files_of
from datagen.importers.sql_access import is_database_file
from datagen.importers.suggestion import mapping_wanted

HOW_TO_SEE = "'python -m datagen formats' lists what can be read"
_HEAD_BYTES = 4096
_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods", ".numbers")
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_UNPRINTED = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_NAMES = 5
_CITYLEARN = b"non_shiftable_load"


def unknown_source(source: str) -> UserError:
    """The error that something is which no importer recognises.

    Args:
        source: path of something that exists.
    """
    path = Path(source)
    try:
        if path.is_dir():
            return _in_folder(path)
        if not path.is_file():
            return UserError(f"{source}: neither a file nor a folder")
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
        if path.suffix.lower() == ".zip":
            return _in_archive(source)
        return _problem(source, path.suffix.lower(), head, path.read_bytes) or mapping_wanted(path)
    except UserError as error:
        return error
    except (OSError, ValueError) as error:
        return UserError(f"{source}: cannot be read ({getattr(error, 'strerror', None) or 'not a path'})")


def _problem(label: str, suffix: str, head: bytes, content: Callable[[], bytes]) -> UserError | None:
    """What keeps a file from being a table of text; None for a text that may be one.

    Args:
        label: the file, for the message.
        suffix: of its name, in lower case.
        head: its first bytes.
        content: reads all of it.

    Raises:
        UserError: broken XML, with the line.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    workbook = suffix in _WORKBOOKS or head.startswith(_OLD_WORKBOOK)
    causes = (
        (not text, "the file is empty; download or save it again"),
        (workbook, "a workbook; save its sheet as 'CSV UTF-8', and give that"),
        (head.startswith((b"\xff\xfe", b"\xfe\xff")), "text in UTF-16; save it as 'CSV UTF-8'"),
        (head.startswith(b"PAR1"), "Parquet without ResStock's columns; write it as CSV, and a mapping for that"),
        (_UNPRINTED.search(head), f"not text, whatever its name says; expected a CSV or XML file ({HOW_TO_SEE})"),
        (text.startswith((b"<!doctype html", b"<html")), "a web page; log in, and download the file again"),
        (
            text.startswith((b"{", b"[")),
            f"JSON; expected a CSV or XML file, or a folder ({HOW_TO_SEE})",
        ),
    )
    for applies, problem in causes:
        if applies:
            return UserError(f"{label}: {problem}")
    if not text.startswith(b"<"):
        return None
    read_feed(label, content())  # says what is wrong, unless it is whole
    return UserError(f"{label}: XML without Green Button's namespace; {EXPECTED_XML}")


def _in_archive(source: str) -> UserError:
    """Why the files of an archive are not read."""
    files = _files(source)
    if not files:
        return UserError(f"{source}: the archive holds no .csv and no .xml file; unpack it, and give what is in it")
    found = _problem_of(files[0])
    return found or UserError(
        f"{files[0].label}: not PG&E's CSV; unpack the archive, and give the .csv alone to see what mapping it needs"
    )


def _in_folder(folder: Path) -> UserError:
    """Why a folder is no folder of homes, and which of its files to give in its place."""
    names = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if not names:
        return UserError(f"{folder}: an empty folder; expected homes in one of the known formats ({HOW_TO_SEE})")
    for path in names:
        for what, fits in (
            ("mapping", path.suffix.lower() == ".toml"),
            ("archive", path.suffix.lower() == ".zip"),
            ("database", is_database_file(path)),
        ):
            if fits and path.is_file():
                return UserError(f"{folder}: a folder that is no source itself; give the {what} in it: {path}")
    files = [file for file in _files(str(folder)) if Path(file.label).parent == folder]
    if any(_CITYLEARN in file.read(_HEAD_BYTES) for file in files):
        return UserError(f"{folder}: files of a CityLearn data set without its schema.json; put that into the folder")
    if files:
        return _problem_of(files[0]) or mapping_wanted(Path(files[0].label))
    shown = ", ".join(path.name for path in names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    return UserError(f"data '{folder}': not a known format (it holds {shown}; {HOW_TO_SEE})")


def _files(source: str) -> list[SourceFile]:
    """CSV and XML files of a folder or an archive.

    Raises:
        UserError: a damaged archive.
    """
    return [file for suffix in (".csv", ".xml") for file in files_of(source, suffix).values()]


def _problem_of(file: SourceFile) -> UserError | None:
    suffix = Path(file.label).suffix.lower()
    return _problem(file.label, suffix, file.read(_HEAD_BYTES), file.content)
