"""Parsing SQL text into syntax trees: sqlglot's MySQL dialect, with the statements that it does not parse."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.mysql import MySQLParser
from sqlglot.tokenizer_core import Token, TokenType

from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.db.text import statements
from chatsim.innodb.sql.deprecated_syntax import deprecated_syntax
from chatsim.innodb.sql.json_parser import parse_json_objects, parse_json_table, parse_json_value
from chatsim.innodb.sql.session_parser import SessionParser
from chatsim.innodb.sql.session_syntax import UnlockTables
from chatsim.innodb.sql.trigger_parser import create_trigger, signalled

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # its warnings are about other dialects, and would confuse

__all__ = ["COMMA", "Analyze", "Do", "Explain", "Release", "Savepoint", "parse"]


COMMA = "comma"
"""What is noted at a join that is written as a comma."""


class Savepoint(exp.Expression):
    """``SAVEPOINT name``."""

    arg_types: ClassVar = {"this": True}


class Analyze(exp.Expression):
    """``ANALYZE TABLE table, …``."""

    arg_types: ClassVar = {"expressions": True}


class Explain(exp.Expression):
    """``EXPLAIN statement``."""

    arg_types: ClassVar = {"this": True}


class Release(exp.Expression):
    """``RELEASE SAVEPOINT name``."""

    arg_types: ClassVar = {"this": True}


class Do(exp.Expression):
    """``DO expression, …``."""

    arg_types: ClassVar = {"expressions": True}


_OWN_SYNTAX = frozenset(
    """ABS ANY_VALUE ARRAY_AGG AVG BIT_AND BIT_OR BIT_XOR CHARACTER_LENGTH CHAR_LENGTH COALESCE CONCAT COUNT CUME_DIST
    CURRENT_TIMESTAMP DENSE_RANK EXISTS FIRST_VALUE GREATEST GROUP_CONCAT GROUPING IF IFNULL JSON_ARRAYAGG
    JSON_OBJECTAGG LAG LAST_VALUE LCASE LEAD LEAST LEFT LENGTH LOWER MAX MIN MOD NTH_VALUE NTILE NULLIF OCTET_LENGTH
    PERCENT_RANK RANK ROW_NUMBER STD STDDEV STDDEV_POP STDDEV_SAMP SUM UCASE UPPER VARIANCE VAR_POP VAR_SAMP""".split()  # noqa: SIM905
)
"""The functions of which the tree has a kind of expression each."""


# sqlglot promises nothing about the following, so pyproject.toml bounds its version. Of the parser: _parse_statement,
# _parse_insert, _parse_update, _parse_delete, _parse_window, _parse_join, _parse_into and _warn_unsupported, which are
# overridden, and _parse_bitwise, _parse_types, _parse_on_condition, _match_l_paren, _match_r_paren, _index, _tokens,
# _tokens_size, _curr, _next, _advance, _retreat, _match, _match_text_seq, _parse_id_var, _parse_csv,
# _parse_assignment, _parse_function, _parse_primary and _parse_table_parts, and its tables LAMBDAS,
# TRANSACTION_CHARACTERISTICS, QUERY_MODIFIER_PARSERS, PLACEHOLDER_PARSERS, FUNC_TOKENS, FUNCTIONS, FUNCTION_PARSERS,
# NO_PAREN_FUNCTION_PARSERS, UPDATE_ALIAS_TOKENS and TABLE_INDEX_HINT_TOKENS. Of the tokenizer: its COMMANDS. And the
# modules parsers.mysql and tokenizer_core themselves.
def _moment_of_now(name: str) -> Callable[[Any], exp.Expr]:
    """Parses a function that may stand without parentheses."""

    def parsed(parser: Any) -> exp.Expr:
        arguments: list[exp.Expr] = []
        if parser._match(TokenType.L_PAREN):  # noqa: SLF001
            arguments = parser._parse_csv(parser._parse_assignment)  # noqa: SLF001
            parser._match_r_paren()  # noqa: SLF001
        return exp.Anonymous(this=name, expressions=arguments)

    return parsed


def _assign_to_columns(tokens: list[Token]) -> None:
    """Write ``=`` for the ``:=`` that assigns to a column."""
    if tokens[0].text.upper() not in ("INSERT", "REPLACE", "UPDATE"):
        return
    for at, token in enumerate(tokens):
        if token.token_type is TokenType.COLON_EQ and tokens[at - 2].token_type is not TokenType.PARAMETER:
            token.token_type, token.text = TokenType.EQ, "="


def _ifnull(arguments: list[exp.Expr]) -> exp.Expr:
    """IFNULL, which is COALESCE, but by its name where it is printed."""
    node = exp.Coalesce(this=arguments[0] if arguments else None, expressions=arguments[1:])
    node.meta["ifnull"] = True
    return node


def _row(arguments: list[exp.Expr]) -> exp.Expr:
    """A row with the word ROW: one of several values is what parentheses make."""
    if len(arguments) == 1:
        return exp.Anonymous(this="ROW", expressions=arguments)
    return exp.Tuple(expressions=arguments)


class _Parser(SessionParser):
    """The MySQL parser, with the statements of transactions, and those about tables."""

    def _placed_placeholder(self) -> exp.Placeholder:
        node = exp.Placeholder()
        node.meta["place"] = self._index
        return node

    TRANSACTION_CHARACTERISTICS: ClassVar = {
        **MySQLParser.TRANSACTION_CHARACTERISTICS,
        "ISOLATION": tuple(("LEVEL", *each.value.split()) for each in Isolation),
    }

    UPDATE_ALIAS_TOKENS: ClassVar = (
        MySQLParser.TABLE_ALIAS_TOKENS - {TokenType.SET} - MySQLParser.TABLE_INDEX_HINT_TOKENS
    )
    """What may name a table of an UPDATE: not USE, which begins an index hint, nor STRAIGHT_JOIN."""

    FUNC_TOKENS: ClassVar = MySQLParser.FUNC_TOKENS | {TokenType.DEFAULT}

    FUNCTIONS: ClassVar = {
        **{name: made for name, made in MySQLParser.FUNCTIONS.items() if name in _OWN_SYNTAX},
        "IFNULL": _ifnull,
        "JSON_ARRAYAGG": exp.JSONArrayAgg.from_arg_list,
        "ROW": _row,
    }
    """The functions that have a kind of expression of their own. All others keep the names that they are given by."""

    LAMBDAS: ClassVar[dict[TokenType, Callable[..., Any]]] = {}
    """MySQL has no functions without a name: ``->`` among arguments is a path into a document."""

    FUNCTION_PARSERS: ClassVar = {
        name: made
        for name, made in MySQLParser.FUNCTION_PARSERS.items()
        if name not in ("CEIL", "FLOOR", "CHR", "DECODE", "INITCAP", "JSON_OBJECT", "NORMALIZE", "OVERLAY")
    } | {"JSON_OBJECTAGG": parse_json_objects, "JSON_TABLE": parse_json_table, "JSON_VALUE": parse_json_value}

    NO_PAREN_FUNCTION_PARSERS: ClassVar = {
        **MySQLParser.NO_PAREN_FUNCTION_PARSERS,
        **{name: _moment_of_now(name) for name in ("UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP")},
    }

    PLACEHOLDER_PARSERS: ClassVar = {**MySQLParser.PLACEHOLDER_PARSERS, TokenType.PLACEHOLDER: _placed_placeholder}

    QUERY_MODIFIER_PARSERS: ClassVar = {
        **MySQLParser.QUERY_MODIFIER_PARSERS,
        TokenType.INTO: lambda parser: ("into", parser._parse_into()),  # noqa: SLF001
    }
    """What may stand behind the tables of a query: INTO, too."""

    def parse(self, raw_tokens: list[Token], sql: str = "") -> list[exp.Expr | None]:
        """Parse tokens, with DISTINCT in front of other words behind SELECT, where sqlglot expects it."""
        for at, token in enumerate(raw_tokens):
            if token.token_type in (TokenType.DISTINCT, TokenType.ALL):
                first = at
                while first and raw_tokens[first - 1].text.upper() in self.OPERATION_MODIFIERS:
                    first -= 1
                raw_tokens.insert(first, raw_tokens.pop(at))
        if ":=" in sql:
            _assign_to_columns(raw_tokens)
        warnings = deprecated_syntax(raw_tokens, sql)
        found = super().parse(raw_tokens, sql)
        if warnings and (statement := found[0]) is not None:
            statement.meta["warnings"] = warnings
        return found

    def _parse_statement(self) -> exp.Expr | None:
        ahead = tuple(token.text.upper() for token in self._tokens[self._index : self._index + _MOST_WORDS])
        for count in range(len(ahead), 0, -1):
            parse_rest = _STATEMENTS.get(ahead[:count])
            if parse_rest is not None:
                self._advance(count)
                return parse_rest(self)
        return super()._parse_statement()

    def _parse_window(self, this: exp.Expr | None, alias: bool = False) -> exp.Expr | None:  # noqa: FBT001, FBT002
        window = super()._parse_window(this, alias)
        if isinstance(window, exp.Window):
            window.meta["in_parentheses"] = self._prev.token_type == TokenType.R_PAREN
        return window

    def _parse_join(self, *arguments: Any, **options: Any) -> exp.Join | None:
        is_comma = bool(self._curr) and self._curr.token_type == TokenType.COMMA
        join = super()._parse_join(*arguments, **options)
        if join is not None and is_comma:
            join.meta[COMMA] = True
        return join

    def _parse_into(self) -> exp.Into | None:
        if not self._match(TokenType.INTO):
            return None
        return self.expression(exp.Into(expressions=self._parse_csv(self._parse_assignment)))

    def _warn_unsupported(self) -> None:
        """Sqlglot would log a warning. What it can't parse is refused where it is prepared."""

    def _parse_insert(self) -> exp.Insert | exp.MultitableInserts:
        words = self._words("LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED")
        node = super()._parse_insert()
        node.set("delayed", "DELAYED" in words)
        return node

    def _parse_update(self) -> exp.Update:
        words = self._words("LOW_PRIORITY", "IGNORE")
        node = super()._parse_update()
        node.set("ignore", "IGNORE" in words)
        return node

    def _parse_delete(self) -> exp.Delete:
        words = self._words("LOW_PRIORITY", "QUICK", "IGNORE")
        self._skip_stars()
        node = super()._parse_delete()
        node.set("ignore", "IGNORE" in words)
        return node

    def _words(self, *known: str) -> set[str]:
        """The words ahead that are among some; only IGNORE says something about an InnoDB table."""
        found = set()
        while self._curr and self._curr.text.upper() in known:
            found.add(self._curr.text.upper())
            self._advance()
        return found

    def _skip_stars(self) -> None:
        """Take ``.*`` away behind the tables from which a DELETE deletes, where it says nothing."""
        at = self._index
        while at + 1 < len(self._tokens) and self._tokens[at].text.upper() not in ("USING", "WHERE", "JOIN", "SET"):
            if self._tokens[at].token_type == TokenType.DOT and self._tokens[at + 1].token_type == TokenType.STAR:
                del self._tokens[at : at + 2]
            else:
                at += 1
        self._tokens_size = len(self._tokens)
        self._advance(0)

    def replace(self) -> exp.Expr:
        """Parse REPLACE, which has the syntax of INSERT."""
        node = self._parse_insert()
        node.set("replace", True)  # noqa: FBT003
        return node

    def explain(self) -> exp.Expr:
        """Parse EXPLAIN and its other names, of a statement or of a table."""
        return (
            Explain(this=self.explained()) if self._curr and self._curr.text.upper() in _EXPLAINED else self.described()
        )

    def explained(self) -> exp.Expr | None:
        """The statement after EXPLAIN. Raises `NotImplementedError` for other forms of EXPLAIN."""
        if self._match_text_seq("FORMAT", "=", "TRADITIONAL"):
            return self._parse_statement()
        if not self._curr:
            self.raise_error("EXPLAIN of nothing")
        word = self._curr.text.upper()
        if word in ("FORMAT", "ANALYZE", "FOR", "INTO", "PARTITIONS", "EXTENDED"):
            raise NotImplementedError(f"the model's SQL has no EXPLAIN {word}")
        return self._parse_statement()

    def name(self) -> exp.Expr | None:
        """Parse a name."""
        return self._parse_id_var()

    def values(self) -> list[exp.Expr]:
        """Parse expressions separated by commas."""
        return self._parse_csv(self._parse_assignment)

    def tables(self) -> list[exp.Expr]:
        """Parse tables separated by commas."""
        return self._parse_csv(self._parse_table_parts)


_EXPLAINED = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "TABLE", "VALUES", "WITH", "("),
    *("FORMAT", "ANALYZE", "FOR", "INTO", "PARTITIONS", "EXTENDED"),
)
"""What may follow EXPLAIN, if it is not the name of a table."""

_STATEMENTS: dict[tuple[str, ...], Callable[[_Parser], exp.Expr]] = {
    ("REPLACE",): lambda parser: parser.replace(),
    ("SAVEPOINT",): lambda parser: Savepoint(this=parser.name()),
    ("RELEASE", "SAVEPOINT"): lambda parser: Release(this=parser.name()),
    ("EXPLAIN",): lambda parser: parser.explain(),
    ("DESCRIBE",): lambda parser: parser.explain(),
    ("DESC",): lambda parser: parser.explain(),
    ("DO",): lambda parser: Do(expressions=parser.values()),
    ("ANALYZE", "TABLE"): lambda parser: Analyze(expressions=parser.tables()),
    ("CREATE", "TABLE"): lambda parser: parser.create_table(),
    ("CREATE", "TEMPORARY", "TABLE"): lambda parser: parser.create_table(temporary=True),
    ("CREATE", "INDEX"): lambda parser: parser.create_index(),
    ("CREATE", "UNIQUE", "INDEX"): lambda parser: parser.create_index("UNIQUE"),
    ("CREATE", "FULLTEXT", "INDEX"): lambda parser: parser.create_index("FULLTEXT"),
    ("CREATE", "SPATIAL", "INDEX"): lambda parser: parser.create_index("SPATIAL"),
    ("CREATE", "OR", "REPLACE"): lambda parser: parser.create_view(replaces=True),
    **{("CREATE", word): lambda parser: parser.create_view() for word in ("VIEW", "ALGORITHM", "DEFINER", "SQL")},
    **{("ALTER", word): lambda parser: parser.alter_view() for word in ("VIEW", "ALGORITHM", "DEFINER", "SQL")},
    ("DROP", "VIEW"): lambda parser: parser.drop_views(),
    ("DROP", "TABLE"): lambda parser: parser.drop_tables(),
    ("DROP", "TABLES"): lambda parser: parser.drop_tables(),
    ("DROP", "TEMPORARY", "TABLE"): lambda parser: parser.drop_tables(temporary=True),
    ("DROP", "INDEX"): lambda parser: parser.drop_index(),
    ("DROP", "TRIGGER"): lambda parser: parser.drop_trigger(),
    ("SHOW",): lambda parser: parser.show(),
    ("KILL",): lambda parser: parser.kill(),
    ("USE",): lambda parser: parser.use(),
    ("PREPARE",): lambda parser: parser.prepare(),
    ("EXECUTE",): lambda parser: parser.execute(),
    ("DEALLOCATE", "PREPARE"): lambda parser: parser.deallocate(),
    ("DROP", "PREPARE"): lambda parser: parser.deallocate(),
    ("LOCK TABLES",): lambda parser: parser.lock_tables(),
    ("LOCK", "TABLE"): lambda parser: parser.lock_tables(),
    ("UNLOCK TABLES",): lambda _: UnlockTables(),
    ("UNLOCK", "TABLE"): lambda _: UnlockTables(),
    ("FLUSH", "TABLES"): lambda parser: parser.flush_tables(),
    ("XA",): lambda parser: parser.xa(),
    ("ALTER", "TABLE"): lambda parser: parser.alter_table(),
    ("RENAME", "TABLE"): lambda parser: parser.rename_tables(),
    ("START", "TRANSACTION"): lambda parser: parser.start_transaction(),
    ("COMMIT",): lambda parser: parser.end_transaction(exp.Commit()),
    ("ROLLBACK",): lambda parser: parser.end_transaction(exp.Rollback()),
}
"""From the first words of a statement to the method that parses the rest."""

_MOST_WORDS = max(len(words) for words in _STATEMENTS)


_REFUSED = frozenset(
    """ALTER BINLOG CACHE CALL CHANGE CHECK CHECKSUM CLONE COMMIT CREATE DEALLOCATE DROP FLUSH GET GRANT HANDLER HELP
    IMPORT INSTALL KILL LOAD LOCK OPTIMIZE PURGE RENAME REPAIR RESET RESIGNAL RESTART RETURN REVOKE ROLLBACK SHOW
    SHUTDOWN SIGNAL START STOP UNINSTALL UNLOCK""".split()  # noqa: SIM905
)
"""The first words of statements of the server of which the model does not have all. A text that begins with another
one and can't be parsed is no SQL."""


class _Dialect(MySQL):
    """The MySQL dialect of the model."""

    SUPPORTS_VALUES_DEFAULT = False  # DEFAULT is a word that an expression may begin with: DEFAULT(a)

    class Tokenizer(MySQL.Tokenizer):
        """The tokenizer, for which REPLACE, RENAME, EXECUTE and the like are no opaque commands."""

        COMMANDS = MySQL.Tokenizer.COMMANDS - {
            TokenType.REPLACE,
            TokenType.RENAME,
            TokenType.EXECUTE,
            TokenType.COMMAND,
        }

    class Parser(_Parser):
        """See `_Parser`."""


def _dialect() -> _Dialect:
    """The dialect of the model. Raises `RuntimeError` if its parser can't be made."""
    if not inspect.isfunction(MySQLParser.parse):
        raise RuntimeError(
            "the model's parser can't extend the compiled sqlglot that the package sqlglotc installs; "
            "uninstall it: pip uninstall sqlglotc"
        )
    return _Dialect()


def _parsed(text: str) -> exp.Expr:
    """The tree of one statement."""
    if (made := _BEGINNING.match(text)) is not None:
        return create_trigger(text, _parsed) if made["create"] else signalled(text, _parsed)
    (statement,) = _dialect().parse(text)
    assert statement is not None
    return statement


_BEGINNING = re.compile(r"(?P<create>CREATE\s+(?:DEFINER\s*=\s*\S+\s+)?TRIGGER\b)|SIGNAL\b", re.IGNORECASE)


def parse(sql: str) -> tuple[exp.Expr, ...]:
    """The statements of a text. Each has its own text in ``meta["text"]``; placeholders are numbered from 0.

    Raises:
        DatabaseError: the text is not valid SQL (1064).
    """
    found = []
    number = 0
    try:
        for text in statements(sql):
            statement = _parsed(text)
            if isinstance(statement, exp.Alias | exp.Condition):  # to sqlglot, an expression is a statement
                raise _no_sql(text, f" near '{text}' at line 1")
            statement.meta["text"] = text
            if "/*+" in text and text.count("/*+") != sum(1 for _ in statement.find_all(exp.Hint)):
                raise NotImplementedError(f"the model's SQL has no optimizer hints in this place: {text.strip()}")
            # a tree is not in the order of its text
            holders = statement.find_all(exp.Placeholder) if "?" in text else ()
            for node in sorted(holders, key=lambda each: each.meta["place"]):
                node.meta["number"] = number
                number += 1
            if isinstance(statement, Explain):
                _number(statement.this)
            found.append(statement)
    except (ParseError, TokenError) as error:
        raise _no_sql(sql, _where(error)) from None
    return tuple(found)


def _number(statement: exp.Expr) -> None:
    """Number the SELECTs of a statement in the order of its text; an UPDATE or DELETE has the first number itself."""
    first = 2 if isinstance(statement, exp.Update | exp.Delete) else 1
    for number, each in enumerate(statement.find_all(exp.Select, bfs=False), start=first):
        each.meta["number"] = number


def _no_sql(text: str, where: str) -> Exception:
    """The error for a text that can't be parsed: a refusal by name if it begins as the server's statements do."""
    first = text.split(maxsplit=1)[0].upper().rstrip("(;")
    if first in _REFUSED:
        return NotImplementedError(f"the model's SQL has no {first}: {text.strip()}")
    if (clause := _REFUSED_CLAUSES.search(text)) is not None:
        return NotImplementedError(f"the model's SQL has no {clause[0]}: {text.strip()}")
    return database_error(1064, f"You have an error in your SQL syntax{where}")


_REFUSED_CLAUSES = re.compile(r"\bINTO\s+(?:OUTFILE|DUMPFILE)\b|\{\s*(?:d|t|ts)\s*'", re.IGNORECASE)
"""Clauses of the server that the parser does not know."""


def _where(error: ParseError | TokenError) -> str:
    if isinstance(error, TokenError) or not error.errors:
        return f": {error}"
    first = error.errors[0]
    return f" near '{first['highlight']}{first['end_context']}' at line {first['line']}"
