"""A model of InnoDB, and of as much of MySQL as its statements need.

Where to find what somebody knows from MySQL's sources (what is known to differ: docs/fidelity.md):

================================  ==============================================================================
MySQL                             here
================================  ==============================================================================
dict0mem, dict0dict               `storage.dictionary` (columns, index definitions), `storage.tables` (tables, keys)
btr0cur, page0cur                 `storage.structures.Index`
lock0priv.h, lock0types.h         `storage.structures` (lock structures, a transaction's locks)
lock0lock                         `storage.locks` (conflicts, queues, grants, gaps that inherit)
lock0wait                         `storage.lock_wait` (waits, deadlocks detected and resolved, transaction scheduling)
trx0trx, read0read                `storage.structures` (transactions, read views)
row0vers                          `storage.mvcc` (which version is read)
trx0undo, trx0roll, row0undo      `storage.undo`
trx0purge, row0purge              `storage.purge` (with the history list)
row0sel                           `storage.scan` (and `storage.index_merge` for the server's index merges)
row0ins, row0upd                  `storage.rows`
dict0stats                        `storage.statistics`
sql_yacc                          `sql.parser`
item_func, item_cmpfunc           `sql.expressions`
sql_optimizer, range_optimizer    `sql.optimizer`
sql_insert, sql_update, …         `sql.executor`, `storage.foreign_keys`
sql_table                         `sql.ddl`, `server.definitions`
sql_prepare                       `server.prepared`
sql_parse, sql_class (THD)        `server.session`, `server.control`, `server.context`
transaction.cc                    `server.transactions`
sys_vars                          `server.variables`
mdl                               `server.metadata_locks`
item_func (GET_LOCK)              `server.user_level_locks`
performance_schema                `server.performance_schema`; SHOW ENGINE INNODB STATUS: `server.deadlock_report`
mysqld                            `server.engine`, `server.process`
================================  ==============================================================================
"""
