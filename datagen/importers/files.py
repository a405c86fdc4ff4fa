"""The files of a source that a user names: a file, a folder, or a zip archive as downloaded; grouped by home.

In a folder or an archive each file is one home, unless it holds sub-folders: then each sub-folder is one home whose
files are successive periods.  Files that lie side by side may be of one home or of several, and only what must not be
read (name, account) could tell; so each stays a home, and several periods of one home belong into a sub-folder.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from common.errors import UserError

MAX_FILES = 10_000
MAX_FILE_BYTES = 256 * 1024**2
MAX_ARCHIVE_BYTES = 2 * 1024**3
"""Unpacked. Ten years of quarter-hours are 20 MB of CSV; a zip bomb is more."""
_DETECT_FILES = 20


@dataclass(frozen=True)
class SourceFile:
    """A file of a source.

    Attributes:
        label: its path as the user gave it (``archive.zip/member.csv`` in an archive), for error messages.  It may hold
            an account number, so it must not get into facts, warnings or other files.
        read: its first bytes, up to a number.
    """

    label: str
    read: Callable[[int], bytes]

    def content(self) -> bytes:
        """All of its bytes.

        Raises:
            UserError: unreadable, or too large.
        """
        data = self.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise UserError(
                f"{self.label}: larger than {MAX_FILE_BYTES // 1024**2} MB; expected a few years of one home"
            )
        return data


def homes_of(source: str, suffix: str) -> list[list[SourceFile]]:
    """Files of each home of a source, homes and files in natural order of their names (``b2`` before ``b10``).

    Args:
        source: path of a file, a folder or a zip archive.
        suffix: of the files to take from a folder or an archive, such as ``.csv``; others are passed over.

    Raises:
        UserError: no such path, no such files, a damaged or oversized archive.
    """
    found = files_of(source, suffix)
    if not found:
        raise UserError(f"{source}: holds no {suffix} file")
    if len(found) > MAX_FILES:
        raise UserError(f"{source}: holds {len(found)} {suffix} files; expected at most {MAX_FILES}")
    homes: dict[str, list[SourceFile]] = {}
    for name in sorted(found, key=_natural):
        # Files below the same sub-folder are one home; a file beside the sub-folders is one of its own.
        homes.setdefault(PurePosixPath(name).parts[0], []).append(found[name])
    return list(homes.values())


def files_of(source: str, suffix: str) -> dict[str, SourceFile]:
    """Files of a source by their paths in it; a file is itself, whatever its suffix.

    Raises:
        UserError: no such path, a damaged or oversized archive.
    """
    path = Path(source)
    try:
        if path.is_dir():
            return _in_folder(path, suffix)
        if _is_archive(path):
            return _in_archive(path, suffix)
        if path.is_file():
            return {path.name: SourceFile(source, _reader(path, source))}
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: cannot be read ({_reason(error)})") from None
    raise UserError(f"{source}: no such file or folder")


def any_looks_like(source: str, suffix: str, test: Callable[[bytes], bool], head_bytes: int = 65_536) -> bool:
    """Whether one of the first files of a source passes a test of its first bytes; never raises."""
    try:
        files = [file for home in homes_of(source, suffix) for file in home][:_DETECT_FILES]
        return any(test(file.read(head_bytes)) for file in files)
    except UserError:
        return False


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "not a path"


def _natural(name: str) -> list[tuple[int, int, str]]:
    pieces = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(0, int(piece), "") if piece[0] in "0123456789" else (1, 0, piece) for piece in pieces] + [(2, 0, name)]


def _is_wanted(parts: tuple[str, ...], suffix: str) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return bool(parts) and not hidden and parts[-1].lower().endswith(suffix)


def _in_folder(folder: Path, suffix: str) -> dict[str, SourceFile]:
    found: dict[str, SourceFile] = {}
    for path in _walk(folder):
        relative = path.relative_to(folder)
        if _is_wanted(relative.parts, suffix):
            found[relative.as_posix()] = SourceFile(str(path), _reader(path, str(path)))
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """Files of a folder and of its sub-folders, one level deep."""
    for path in folder.iterdir():
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from (inner for inner in path.iterdir() if inner.is_file())


def _reader(path: Path, label: str) -> Callable[[int], bytes]:
    def read(most: int) -> bytes:
        try:
            with path.open("rb") as stream:
                return stream.read(most)
        except OSError as error:
            raise UserError(f"{label}: cannot be read ({_reason(error)})") from None

    return read


def _is_archive(path: Path) -> bool:
    return path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path))


def _in_archive(path: Path, suffix: str) -> dict[str, SourceFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, EOFError):
        raise UserError(f"{path}: not a whole zip archive (download it again)") from None
    members = [info for info in members if _is_wanted(PurePosixPath(info.filename).parts, suffix)]
    size = sum(info.file_size for info in members)
    if size > MAX_ARCHIVE_BYTES:
        raise UserError(
            f"{path}: unpacks to {size / 1024**3:.0f} GB; expected at most {MAX_ARCHIVE_BYTES // 1024**3} GB"
        )
    # An absolute or climbing name only groups files; nothing is unpacked to disk.
    names = [PurePosixPath(info.filename.strip("/")) for info in members]
    while names and all(len(name.parts) > 2 for name in names) and len({name.parts[0] for name in names}) == 1:
        names = [PurePosixPath(*name.parts[1:]) for name in names]  # the folder that was packed, around the homes'
    return {
        str(name): SourceFile(f"{path}/{info.filename}", _member_reader(path, info))
        for name, info in zip(names, members, strict=True)
    }


def _member_reader(path: Path, info: zipfile.ZipInfo) -> Callable[[int], bytes]:
    def read(most: int) -> bytes:
        try:
            with zipfile.ZipFile(path) as archive, archive.open(info) as stream:
                return stream.read(most)  # a declared size may lie; what is read may not
        except RuntimeError:
            raise UserError(f"{path}/{info.filename}: encrypted; unpack it with its password first") from None
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError):
            raise UserError(f"{path}/{info.filename}: damaged (download the archive again)") from None

    return read
