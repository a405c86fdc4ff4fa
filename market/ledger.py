"""The double-entry ledger: a slot is booked whole or not at all, once, and only if its postings sum to zero.

The tables are those of :mod:`common.books`; any SQL database does, a SQLite file is the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pandas as pd
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.pool import ConnectionPoolEntry

from common.books import Books
from common.errors import UserError
from common.messages import Totals
from market.settlement import Settlement
from market.trades import IDS_PER_SLOT

_SCHEMA = MetaData()


def _of_slot(primary_key: bool = False, index: bool = False) -> Column[int]:
    return Column("slot", Integer, ForeignKey("slots.slot"), primary_key=primary_key, index=index, nullable=False)


def _integers(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


SLOTS = Table(
    "slots",
    _SCHEMA,
    Column("slot", Integer, primary_key=True, autoincrement=False),
    *_integers("price_uusd", "import_uusd", "export_uusd"),
)
TRADES = Table(
    "trades",
    _SCHEMA,
    Column("trade_id", BigInteger, primary_key=True, autoincrement=False),
    _of_slot(index=True),
    Column("buyer", String(64), nullable=False),
    Column("seller", String(64), nullable=False),
    *_integers("delivered_wh", "injected_wh", "price_uusd", "amount_nusd"),
)
METERS = Table(
    "meters",
    _SCHEMA,
    _of_slot(primary_key=True),
    Column("home_id", String(64), primary_key=True),
    *_integers("import_wh", "export_wh", "bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh", "estimated"),
)
POSTINGS = Table(
    "postings",
    _SCHEMA,
    Column("posting_id", BigInteger, primary_key=True, autoincrement=False),
    _of_slot(),
    Column("account", String(80), nullable=False),
    Column("kind", String(16), nullable=False),
    *_integers("amount_nusd"),
)
TOTALS = Table(
    "totals",
    _SCHEMA,
    Column("day_slot", Integer, primary_key=True, autoincrement=False),
    Column("home_id", String(64), primary_key=True),
    *_integers(*(name for name in Totals.model_fields if name != "home_id")),
)


class LedgerError(Exception):
    """The ledger refused a booking; nothing of it was written."""


class AlreadyBookedError(LedgerError):
    """The slot, or the totals of the day, are in the books."""


class UnbalancedError(LedgerError):
    """Postings that do not sum to zero."""


class Ledger:
    """The books of a community, open for writing. A context manager: leaving it closes the database."""

    def __init__(self, where: str | Path) -> None:
        """Open the ledger at a database URL or the path of a SQLite file; tables are made where they are missing.

        Raises:
            UserError: the ledger is of another version.
        """
        self._engine = _connect(where)
        _SCHEMA.create_all(self._engine)
        _check_columns(self._engine, where)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    def book(self, settlement: Settlement) -> None:
        """Write a settled slot in one transaction.

        Raises:
            AlreadyBookedError: the slot is in the books.
            UnbalancedError: the postings do not sum to 0 n$.
        """
        slot = settlement.prices.slot
        residual_nusd = sum(posting.amount_nusd for posting in settlement.postings)
        if residual_nusd != 0:
            raise UnbalancedError(f"slot {slot}: the postings sum to {residual_nusd} n$, expected 0")
        trades = [vars(trade) | {"amount_nusd": trade.amount_nusd} for trade in settlement.trades]
        meters = [vars(meter) | {"slot": slot} for meter in settlement.meters]
        postings = [
            vars(posting) | {"posting_id": number, "slot": slot}
            for number, posting in enumerate(settlement.postings, slot * IDS_PER_SLOT)
        ]
        with self._engine.begin() as connection:
            try:
                connection.execute(insert(SLOTS), vars(settlement.prices))
            except IntegrityError:
                raise AlreadyBookedError(f"slot {slot} is already booked") from None
            _insert(connection, TRADES, trades)
            _insert(connection, METERS, meters)
            _insert(connection, POSTINGS, postings)

    def book_totals(self, day_slot: int, totals: Sequence[Totals]) -> None:
        """Write what homes report of the span that began at ``day_slot``, in one transaction.

        Raises:
            AlreadyBookedError: a home's totals of that span are in the books, or twice in ``totals``.
        """
        with self._engine.begin() as connection:
            try:
                _insert(connection, TOTALS, [home.model_dump() | {"day_slot": day_slot} for home in totals])
            except IntegrityError:
                raise AlreadyBookedError(f"totals of the span from slot {day_slot} are already booked") from None

    def sold_wh(self, slots: range) -> dict[str, int]:
        """Energy that each home injected for sale in the booked slots among ``slots`` (consecutive), Wh."""
        total = func.sum(TRADES.c.injected_wh)
        query = select(TRADES.c.seller, total).where(TRADES.c.slot.between(slots.start, slots.stop - 1))
        with self._engine.connect() as connection:
            return {seller: int(wh) for seller, wh in connection.execute(query.group_by(TRADES.c.seller))}

    def books(self) -> Books:
        """All tables as they are now."""
        return _read(self._engine)


def read_books(where: str | Path) -> Books:
    """All tables of the ledger at a database URL or the path of a SQLite file.

    Raises:
        UserError: there is no ledger.
    """
    if "://" not in str(where) and not Path(where).is_file():
        raise UserError(f"{where}: no such ledger")
    engine = _connect(where)
    try:
        missing = _SCHEMA.tables.keys() - set(inspect(engine).get_table_names())
        if missing:
            raise UserError(f"{where}: not a ledger (missing tables: {', '.join(sorted(missing))})")
        _check_columns(engine, where)
        return _read(engine)
    except DatabaseError:
        raise UserError(f"{where}: not a ledger (no database can be read there)") from None
    finally:
        engine.dispose()


def _check_columns(engine: Engine, where: str | Path) -> None:
    """Raise UserError where a table lacks a column, as in the ledger of an older version."""
    found = inspect(engine)
    for name, table in _SCHEMA.tables.items():
        there = {column["name"] for column in found.get_columns(name)}
        missing = [column.name for column in table.columns if column.name not in there]
        if missing:
            raise UserError(
                f"{where}: written by another version (table {name} lacks {', '.join(missing)}); "
                "read it with the version that wrote it, or run again into a new folder"
            )


def _connect(where: str | Path) -> Engine:
    engine = create_engine(str(where) if "://" in str(where) else f"sqlite:///{where}")
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # With a write-ahead log, NORMAL cannot corrupt the file; a power cut may cost the last slots, never half a slot.
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _insert(connection: Connection, table: Table, rows: list[dict[str, object]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _read(engine: Engine) -> Books:
    with engine.connect() as connection:
        return Books(
            slots=_frame(connection, SLOTS),
            trades=_frame(connection, TRADES),
            meters=_frame(connection, METERS),
            postings=_frame(connection, POSTINGS),
            totals=_frame(connection, TOTALS),
        )


def _frame(connection: Connection, table: Table) -> pd.DataFrame:
    rows = connection.execute(select(table).order_by(*table.primary_key.columns)).all()
    frame = pd.DataFrame.from_records([tuple(row) for row in rows], columns=[column.name for column in table.columns])
    # An empty table has no values to infer types from.
    return frame.astype({c.name: "str" if isinstance(c.type, String) else "int64" for c in table.columns})
