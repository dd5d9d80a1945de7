"""What a command found, for people and for programs."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct


class OpsError(Exception):
    """The command cannot do what it was asked; the message says why and what helps."""


class Table(Struct, frozen=True):
    """Rows are of one kind, and its fields are the columns."""

    name: str
    rows: Sequence[Struct]
    empty: str
    """What to say when there are none."""


class Report(Struct, frozen=True, kw_only=True):
    tables: Sequence[Table]
    remarks: Sequence[str] = ()
    sound: bool = True
    """False: something is not as it should be, and the exit status says so."""

    def as_json(self) -> str:
        """One object, with a list for each table."""
        document: dict[str, object] = {table.name: msgspec.to_builtins(table.rows) for table in self.tables}
        return json.dumps({**document, "sound": self.sound, "remarks": list(self.remarks)}, indent=2)

    def as_text(self) -> str:
        blocks = ["\n".join(_lines(table)) for table in self.tables]
        return "\n\n".join([*blocks, *(["\n".join(self.remarks)] if self.remarks else [])])


def _lines(table: Table) -> Iterator[str]:
    if not table.rows:
        yield table.empty
        return
    columns = table.rows[0].__struct_fields__
    numbers = {name for name in columns if isinstance(getattr(table.rows[0], name), int | float)}
    cells = [columns, *(tuple(_cell(getattr(row, name)) for name in columns) for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = [
            text.rjust(width) if name in numbers else text.ljust(width)
            for name, text, width in zip(columns, line, widths, strict=True)
        ]
        yield "  ".join(padded).rstrip()


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}Z"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.1f}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
