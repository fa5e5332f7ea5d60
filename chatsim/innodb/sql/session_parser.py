"""Parsing statements about sessions: manual, "LOCK TABLES", "XA Transactions", "Prepared Statements"."""

from __future__ import annotations

from sqlglot import exp

from chatsim.innodb.sql import session_syntax as syntax
from chatsim.innodb.sql.definition_parser import DefinitionParser
from chatsim.innodb.sql.trigger_parser import DropTrigger

__all__ = ["SessionParser"]


_SHOWN = {
    "TABLES": "TABLES",
    "VARIABLES": "VARIABLES",
    "STATUS": "STATUS",
    "WARNINGS": "WARNINGS",
    "ERRORS": "ERRORS",
    **dict.fromkeys(("COLUMNS", "FIELDS"), "COLUMNS"),
    **dict.fromkeys(("INDEX", "INDEXES", "KEYS"), "INDEX"),
    "PROCESSLIST": "PROCESSLIST",
    "TRIGGERS": "TRIGGERS",
}
"""What SHOW shows, by its words."""


class SessionParser(DefinitionParser):
    """The part of the model's parser that reads statements about sessions."""

    def drop_trigger(self) -> exp.Expr:
        """DROP TRIGGER, from the name on."""
        exists = self._say("IF", "EXISTS")
        return DropTrigger(this=self._named(), exists=exists)

    def prepare(self) -> exp.Expr:
        """PREPARE, from the name on."""
        name = self._named()
        self._need("FROM")
        return syntax.Prepare(this=name, expression=self._parse_assignment())

    def execute(self) -> exp.Expr:
        """EXECUTE, from the name on."""
        name = self._named()
        arguments = self._parse_csv(self._parse_assignment) if self._say("USING") else []
        return syntax.Execute(this=name, expressions=arguments)

    def deallocate(self) -> exp.Expr:
        """DEALLOCATE PREPARE, from the name on."""
        return syntax.Deallocate(this=self._named())

    def lock_tables(self) -> exp.Expr:
        """LOCK TABLES, from the first name on."""
        tables = [self._table_to_lock()]
        while self._say(","):
            tables.append(self._table_to_lock())
        return syntax.LockTables(tables=tables)

    def _table_to_lock(self) -> syntax.TableToLock:
        name = self._table_named()
        alias = self._named() if self._say("AS") or not self._is_lock_type() else name
        self._say("LOW_PRIORITY")
        writes = self._one_of("READ", "WRITE")
        if not writes:
            self.raise_error("LOCK TABLES without READ or WRITE")
        if writes == "READ":
            self._say("LOCAL")
        return syntax.TableToLock(name, alias, writes == "WRITE")

    def _is_lock_type(self) -> bool:
        return bool(self._curr) and self._curr.text.upper() in ("READ", "WRITE", "LOW_PRIORITY")

    def flush_tables(self) -> exp.Expr:
        """FLUSH TABLES, from what follows on."""
        if self._curr and not self._say("WITH", "READ", "LOCK"):
            raise NotImplementedError("the model's SQL has no FLUSH TABLES of some tables")
        return syntax.FlushTables(this=self._prev.text.upper() == "LOCK")

    def show(self) -> exp.Expr:
        """SHOW, from the second word on."""
        full = bool(self._say("FULL"))
        self._one_of("EXTENDED", "GLOBAL", "SESSION", "LOCAL")
        if self._say("COUNT", "(", "*", ")"):
            return syntax.Show(this=f"COUNT {self._one_of('WARNINGS', 'ERRORS')}")
        if self._say("CREATE", "TABLE"):
            return syntax.Show(this="CREATE TABLE", target=self._table_named())
        if self._say("ENGINE", "INNODB", "STATUS"):
            return syntax.Show(this="ENGINE INNODB STATUS")
        word = self._one_of(*_SHOWN)
        if not word:
            raise NotImplementedError(f"the model's SQL has no SHOW {self._curr.text if self._curr else ''}")
        target = None
        if _SHOWN[word] in ("COLUMNS", "INDEX"):
            self._one_of("FROM", "IN")
            target = self._table_named()
        like = self._parse_primary() if self._say("LIKE") else None
        where = self._parse_assignment() if self._say("WHERE") else None
        return syntax.Show(this=_SHOWN[word], target=target, full=full, like=like, where=where)

    def described(self) -> exp.Expr:
        """DESCRIBE of a table, from its name on."""
        target = self._table_named()
        like = exp.Literal.string(self._text()) if self._curr else None
        return syntax.Show(this="COLUMNS", target=target, like=like)

    def kill(self) -> exp.Expr:
        """KILL, from what is killed on."""
        kind = self._one_of("QUERY", "CONNECTION") or "CONNECTION"
        return syntax.Kill(this=self._parse_assignment(), kind=kind)

    def use(self) -> exp.Expr:
        """USE, from the name on."""
        return syntax.Use(this=self._named())

    def start_transaction(self) -> exp.Expr:
        """``START TRANSACTION``, with its characteristics."""
        modes: list[str] = []
        while self._curr:
            if modes and not self._say(","):
                self.raise_error("Expecting ,")
            words = ("WITH", "CONSISTENT", "SNAPSHOT") if self._say("WITH") else ("READ",) if self._say("READ") else ()
            if not words or (words[1:] and not self._say(*words[1:])):
                self.raise_error("Expecting WITH CONSISTENT SNAPSHOT, READ ONLY or READ WRITE")
            modes.append(" ".join(words) if words[1:] else f"READ {self._one_of('ONLY', 'WRITE')}")
        if "READ " in modes or {"READ ONLY", "READ WRITE"} <= set(modes):
            self.raise_error("Expecting READ ONLY or READ WRITE")
        return exp.Transaction(modes=modes)

    def end_transaction(self, node: exp.Commit | exp.Rollback) -> exp.Expr:
        """The rest of COMMIT or ROLLBACK."""
        self._one_of("WORK")
        if isinstance(node, exp.Rollback) and self._say("TO"):
            self._one_of("SAVEPOINT")
            node.set("savepoint", self._parse_id_var())
            return node
        if self._say("AND"):
            chains = not self._say("NO")
            if not self._say("CHAIN"):
                self.raise_error("Expecting CHAIN")
            node.set("chain", chains)
        if self._say("RELEASE"):
            if node.args.get("chain"):
                self.raise_error("CHAIN and RELEASE")
            node.meta["release"] = True
        elif self._say("NO") and not self._say("RELEASE"):
            self.raise_error("Expecting RELEASE")
        return node

    def xa(self) -> exp.Expr:
        """XA, from the second word on."""
        word = self._one_of("START", "BEGIN", "END", "PREPARE", "COMMIT", "ROLLBACK", "RECOVER")
        if not word:
            self.raise_error("XA of an unknown kind")
        if word == "RECOVER":
            return syntax.Xa(this=word, option="CONVERT" if self._say("CONVERT", "XID") else "")
        texts = [each.name for each in self._parse_csv(self._parse_primary)]
        if not texts:
            self.raise_error("XA without the name of a branch")
        xid = syntax.Xid(texts[0], texts[1] if texts[1:] else "", int(texts[2]) if texts[2:] else 1)
        option = "ONE PHASE" if self._say("ONE", "PHASE") else self._one_of("JOIN", "RESUME", "SUSPEND")
        return syntax.Xa(this="START" if word == "BEGIN" else word, xid=xid, option=option)
