"""The SQL layer of the modelled server: from the text of a statement to its rows and its locks.

The life of a statement, ``SELECT … FOR UPDATE`` for example:

1. **Text.** A client sends a text. `chatsim.db.text` splits it into statements and knows where its ``?`` are.
2. **Tokens and tree.** `parser` makes a syntax tree of each statement: sqlglot's MySQL dialect, with the statements
   that sqlglot leaves opaque. Each ``?`` gets its number. Text that is no SQL is error 1064.
3. **Preparation.** `executor.statements.prepare` binds the tree to the tables that there are: it finds tables and
   columns, compiles expressions into functions (`expressions`) and refuses by name what the model does not have. The
   result, a `Select` (`executor.select`), `UnionQuery` (`executor.union`), `Insert` (`executor.insert`), `Update` or
   `Delete` (`executor.update`), is kept and executed again and again (`chatsim.innodb.server.prepared`).
4. **Names and conditions.** Also at preparation, `executor.from_clause` puts the tables of FROM together, and merges
   derived tables that only filter. `executor.names` says what each name means, and takes subqueries out of expressions
   (`executor.subqueries`). `optimizer.conditions` takes from WHERE and ON what an index can be asked, and
   `optimizer.equalities` what follows from it; `optimizer.outer_join` makes inner joins of outer joins that can be.
5. **Plan.** At each execution, with the values known, range analysis says what the conditions leave of each index
   (`optimizer.column_range`, `optimizer.range_tree`, `optimizer.intervals`, `optimizer.ranges`), and the optimizer
   compares what reading costs on each path: `optimizer.access_path` has the rule, `optimizer.cost_model` the costs. Of
   several tables, `optimizer.join_order` finds the cheapest order, and `executor.join_plan` the steps of the join.
   EXPLAIN prints the plan (`executor.explain`).
6. **Scan.** `executor.join` opens the access path of each table and asks it for one row after the other. A path is
   walked by `chatsim.innodb.storage.scan`, or by `chatsim.innodb.storage.index_merge` for several indexes.
7. **Locks.** The scan locks each record that it meets, before it gives the row: which kind of lock, follows from the
   path, the isolation level and the statement (`chatsim.innodb.storage.scan`, `chatsim.innodb.storage.locks`). A
   plain SELECT reads the version that its read view sees instead (`chatsim.innodb.storage.mvcc`).
8. **Rows.** Rows that do not meet the conditions are dropped, and where the server does so, unlocked. The others are
   grouped, sorted and cut (`executor.select_run`, `executor.aggregate`), or changed: `chatsim.innodb.storage.rows`
   writes them into every index, and `chatsim.innodb.storage.foreign_keys` checks the constraints. The client gets an
   `Answer` (`executor.execution`).

Statements that define tables (`ddl`) have steps 1 to 3 only; the server carries them out
(`chatsim.innodb.server.definitions`). Statements about transactions, variables and locks are the server's, too
(`chatsim.innodb.server.control`).
"""
