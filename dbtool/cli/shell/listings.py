"""What the prompt shows of a database's catalogue, and of the saved queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from dbtool.actions import catalog
from dbtool.actions.catalog import T
from dbtool.cli.catalog.description import write_description
from dbtool.cli.shell.commands import Action
from dbtool.cli.terminal.rows import RowsRequest, choose_format, make_writer, open_output
from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.result import Column
from dbtool.run.session import Session
from dbtool.schema.model import Schema
from dbtool.schema.names import fits, parse_parts


class Ask(Protocol):
    """Calls a function with the session, on the thread that it belongs to."""

    def __call__(self, question: Callable[[Session], T], /) -> T:
        """Return what the function returns; raises DbtoolError."""


class Listings:
    """Shows lists and descriptions on the terminal; each raises DbtoolError."""

    def __init__(self, environment: Environment, asked_rows: RowsRequest, ask: Ask) -> None:
        self._environment = environment
        self._request = asked_rows.replaced(options=asked_rows.options.replaced(null=""))
        self._ask = ask
        self.doers: Mapping[Action, Callable[[str], None]] = {
            Action.TABLES: lambda pattern: self._list_relations(pattern, views=False),
            Action.VIEWS: lambda pattern: self._list_relations(pattern, views=True),
            Action.DESCRIBE: self._describe,
            Action.DATABASES: self._list_databases,
            Action.SCHEMAS: self._list_schemas,
            Action.ROUTINES: self._list_routines,
            Action.INDEXES: self._list_indexes,
        }

    def _list_relations(self, pattern: str, *, views: bool) -> None:
        wanted = catalog.parse_tables(pattern or None, views=views, system=False)
        answers = self._ask(lambda session: catalog.collect_tables(session, wanted))
        kind = [column.name for column in answers.columns].index("kind")
        rows = [row for row in answers.rows if not views or "view" in str(row[kind])]
        self._print(answers.columns, rows)

    def _describe(self, name: str) -> None:
        if not name:
            wanted = catalog.parse_tables(None, views=True, system=False)
            answers = self._ask(lambda session: catalog.collect_tables(session, wanted))
            self._print(answers.columns, answers.rows)
            return
        schema = self._ask(lambda session: catalog.describe_on(session, name))
        request = self._request.replaced(format_name="table")
        output = open_output(self._environment, request, spool_at_once=False)
        writer = make_writer(self._environment, request, choose_format(self._environment, request), output)
        write_description(output, writer, schema, columns_alone=False)
        output.commit()

    def _list_databases(self, _argument: str) -> None:
        answers = self._ask(catalog.collect_databases)
        self._print(answers.columns, answers.rows)

    def _list_schemas(self, pattern: str) -> None:
        is_wanted = _make_filter(pattern)
        rows = [(one.name, one.owner, one.comment) for one in self._read().schemas if is_wanted("", one.name)]
        self.print_texts("schema owner comment", rows)

    def _list_routines(self, pattern: str) -> None:
        is_wanted = _make_filter(pattern)
        rows = [
            (one.schema, one.name, one.kind, one.arguments, one.returns)
            for one in self._read().routines
            if is_wanted(one.schema, one.name)
        ]
        self.print_texts("schema name kind arguments returns", rows)

    def _list_indexes(self, pattern: str) -> None:
        is_wanted = _make_filter(pattern)
        rows = [
            (table.schema, table.name, index.name, ", ".join(index.keys), "yes" if index.unique else "no")
            for table in self._read().tables
            for index in table.indexes
            if is_wanted(table.schema, index.name) or is_wanted(table.schema, table.name)
        ]
        self.print_texts("schema table index on unique", rows)

    def _read(self) -> Schema:
        return self._ask(catalog.read_on)

    def print_texts(self, names: str, rows: Iterable[Sequence[object]]) -> None:
        """Show rows of texts, what is None as nothing."""
        texts = [tuple(None if value is None else str(value) for value in row) for row in rows]
        self._print([Column(name) for name in names.split()], texts)

    def _print(self, columns: catalog.Columns, rows: catalog.Rows) -> None:
        output = open_output(self._environment, self._request, spool_at_once=False)
        format_ = choose_format(self._environment, self._request)
        writer = make_writer(self._environment, self._request, format_, output)
        writer.begin(columns)
        writer.write_rows(rows)
        writer.end()
        writer.flush()
        output.commit()


def _make_filter(pattern: str) -> Callable[[str, str], bool]:
    """Return what says whether a schema and a name fit what was typed. Raises UsageError where it is no pattern."""
    if not pattern:
        return lambda _schema, _name: True
    try:
        schema, name = parse_parts(pattern)
    except ValueError as error:
        raise UsageError(f"{pattern!r} is no pattern of a name: {error}") from error
    return lambda of, what: fits(name, what) and (schema is None or fits(schema, of))
