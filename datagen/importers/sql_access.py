"""How homes in a database are reached: URL, driver, read-only transactions, errors that show no password."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from common.errors import UserError

SQLITE_MAGIC = b"SQLite format 3\x00"
CONNECT_TIMEOUT_S = 10
_DRIVERS = {"psycopg": '"psycopg[binary]"', "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
"""What to install for a module, where the names differ."""

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$", re.DOTALL)
_WRITES = re.compile(
    r"\b(insert|update|delete|merge|drop|alter|create|truncate|grant|revoke|copy|call|attach|detach|pragma|vacuum|into)\b",
    re.IGNORECASE,
)


def is_database_file(path: Path) -> bool:
    """Whether a file is an SQLite database; never raises."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except (OSError, ValueError):
        return False


def database_url(source: str) -> URL:
    """URL of a database.

    Args:
        source: an SQLAlchemy URL, or the path of an SQLite file.

    Raises:
        UserError: no URL.
    """
    if "://" not in source:
        return URL.create("sqlite", database=source)
    # SQLAlchemy's own default for PostgreSQL is the driver before psycopg 3.
    source = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", source)
    try:
        return make_url(source)
    except (SQLAlchemyError, ValueError, TypeError):
        scheme = source.split("://")[0][:30]
        raise UserError(
            f"{scheme}://...: not a database URL; expected sqlite:///homes.db or "
            "postgresql+psycopg://user:password@host/database"
        ) from None


def shown(url: URL) -> str:
    """A URL for messages: no password, and no options, which may hold one."""
    return url.set(query={}).render_as_string(hide_password=True)


def refuse_all_but_select(query: str) -> str:
    """A single SELECT (or WITH ... SELECT) without its closing semicolon.

    Raises:
        UserError: another statement, several, or a word that writes.
    """
    statement = query.strip().rstrip(";").rstrip()
    bare = _QUOTED.sub(" '' ", statement).strip()
    if ";" in bare:
        raise UserError("query: several statements; expected a single SELECT")
    if not re.match(r"(select|with)\b", bare, re.IGNORECASE):
        raise UserError(f"query: begins with {bare.split()[0][:20] if bare else 'nothing'!r}; expected a SELECT")
    writes = _WRITES.search(bare)
    if writes:
        raise UserError(f'query: the word {writes[0]!r}; expected a SELECT that only reads (a column is quoted: "x")')
    return statement


def as_text(statement: str) -> sa.TextClause:
    """A statement whose colons are no parameters."""
    return sa.text(statement.replace(":", "\\:"))


@contextmanager
def reading(url: URL) -> Iterator[Connection]:
    """A connection whose transaction cannot write, as far as the database knows how, and is rolled back.

    Raises:
        UserError: no such database or driver, or whatever the database complains of inside.
    """
    with _errors(url):
        engine = _read_only(url)
        try:
            with engine.connect() as connection:
                if engine.dialect.name == "postgresql":
                    connection.execution_options(postgresql_readonly=True)
                elif engine.dialect.name in ("mysql", "mariadb"):
                    connection.execute(sa.text("SET SESSION TRANSACTION READ ONLY"))
                    connection.rollback()
                yield connection
                connection.rollback()
        finally:
            engine.dispose()


@contextmanager
def writing(url: URL) -> Iterator[Connection]:
    """A connection in a transaction that is committed at the end, or not at all.

    Raises:
        UserError: as :func:`reading`.
    """
    with _errors(url):
        engine = sa.create_engine(url, poolclass=NullPool, connect_args=_connect_args(url))
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()


def _read_only(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, poolclass=NullPool, connect_args=_connect_args(url))
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise UserError(f"{shown(url)}: names no file; expected sqlite:///homes.db, or sqlite:////path/homes.db")
    path = Path(url.database)
    if not path.is_file():
        raise UserError(f"{path}: no such database file (sqlite:///x is relative, sqlite:////x absolute)")
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool)


def _connect_args(url: URL) -> dict[str, object]:
    return {"connect_timeout": CONNECT_TIMEOUT_S} if url.get_backend_name() == "postgresql" else {}


@contextmanager
def _errors(url: URL) -> Iterator[None]:
    """Errors of SQLAlchemy and of drivers as a user's, in one line."""
    try:
        yield
    except NoSuchModuleError:
        raise UserError(
            f"{shown(url)}: SQLAlchemy knows no database '{url.drivername}'; expected sqlite, postgresql+psycopg, ..."
        ) from None
    except ModuleNotFoundError as error:
        package = _DRIVERS.get(error.name or "", error.name)
        raise UserError(f"{shown(url)}: its driver {error.name} is not installed; pip install {package}") from None
    except (SQLAlchemyError, sqlite3.Error, ImportError, UnicodeError, OverflowError) as error:
        cause = getattr(error, "orig", None) or error
        text = " ".join(str(cause).split())[:300]
        if url.password:
            text = text.replace(str(url.password), "***")
        raise UserError(f"{shown(url)}: the database says: {text}") from None
