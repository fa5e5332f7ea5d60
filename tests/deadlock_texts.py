"""One deadlock in the words of many servers, and as people paste it.

Two transactions hold a row of ``shop.stock`` each and want the other's. The first waits for row 2, the second for row
1, and the second is rolled back. Each function of `SERVERS` prints it as a version of a server does; each function of
`PASTED` changes such a text as mails, logs and terminals do.
"""

import json
import re
from textwrap import indent

STATEMENTS = {1: "UPDATE stock SET amount = amount - 1 WHERE id = 2", 2: "UPDATE stock SET amount = 0\n   WHERE id = 1"}
CONNECTIONS = {1: 41, 2: 42}
IDS = {1: 29441, 2: 29442}
HELD = {1: 1, 2: 2}
WANTED = {1: 2, 2: 1}


def trx_id(number, form="decimal"):
    """A transaction's id: two numbers before 5.5, upper-case hex in 5.5, decimal since 5.6."""
    return {"pair": f"0 {IDS[number]}", "hex": f"{IDS[number]:X}", "decimal": str(IDS[number])}[form]


def dump(row, *, one_line=False, deleted=False):
    """The dumped record of a row: its key, the transaction id, the roll pointer, and the amount."""
    trx = format(IDS[row], "012x")
    fields = [
        f"len 4; hex {0x80000000 + row:08x}; asc     ;;",
        f"len 6; hex {trx}; asc     s ;;",
        f"len 7; hex 0200000174{row:02d}1f; asc     t  ;;",
        "len 4; hex 80000009; asc     ;;",
    ]
    numbered = [f" {place}: {field}" for place, field in enumerate(fields)]
    head = f"Record lock, heap no {row + 1} PHYSICAL RECORD: n_fields 4; compact format; info bits {32 * deleted}"
    return "\n".join([head, "".join(numbered) if one_line else "\n".join(numbered), ""])


def lock(number, row, *, waiting, ids="decimal", index="PRIMARY", table="`shop`.`stock`", records=True, **dumped):
    """The line of a lock with its record."""
    line = (
        f"RECORD LOCKS space id 58 page no 4 n bits 72 index {index} of table {table} trx id {trx_id(number, ids)}"
        f" lock_mode X locks rec but not gap{' waiting' * waiting}"
    )
    return f"{line}\n{dump(row, **dumped)}" if records else line


def transaction(number, *, ids="decimal", thread="MySQL", handle=", OS thread handle 140452377331392", process=""):
    """What is said of a transaction below its heading."""
    return (
        f"TRANSACTION {trx_id(number, ids)}, ACTIVE 4 sec{process} starting index read\n"
        "mysql tables in use 1, locked 1\n"
        "LOCK WAIT 3 lock struct(s), heap size 1128, 2 row lock(s), undo log entries 1\n"
        f"{thread} thread id {CONNECTIONS[number]}{handle}, query id 77{number} localhost 127.0.0.1 shopper updating\n"
        f"{STATEMENTS[number]}"
    )


def two_of_old(locked=lock, about=transaction, **options):
    """A report as before 8.0.18: what the first one holds is not printed."""
    return "\n".join(
        [
            f"*** (1) TRANSACTION:\n{about(1)}",
            f"*** (1) WAITING FOR THIS LOCK TO BE GRANTED:\n{locked(1, 2, waiting=True, **options)}",
            f"*** (2) TRANSACTION:\n{about(2)}",
            f"*** (2) HOLDS THE LOCK(S):\n{locked(2, 2, waiting=False, **options)}",
            f"*** (2) WAITING FOR THIS LOCK TO BE GRANTED:\n{locked(2, 1, waiting=True, **options)}",
            "*** WE ROLL BACK TRANSACTION (2)",
        ]
    )


def status(report, time, *, before="", after="TRANSACTIONS"):
    """The section of a report within SHOW ENGINE INNODB STATUS."""
    rule = "-" * 24
    return (
        f"=====================================\n{time} INNODB MONITOR OUTPUT\n{before}"
        f"{rule}\nLATEST DETECTED DEADLOCK\n{rule}\n{time}\n{report}\n"
        f"------------\n{after}\n------------\nTrx id counter 29450\n"
        "---TRANSACTION 421, not started\nMySQL thread id 99, OS thread handle 1, query id 7 localhost x\n"
        "SHOW ENGINE INNODB STATUS\n"
    )


def mysql_5_0():
    def about(number):
        return transaction(number, ids="pair", handle="", process=", process no 5488, OS thread id 1141287232")

    report = two_of_old(about=about, ids="pair", index="`PRIMARY`", table="`shop/stock`", one_line=True)
    return status(report, "090602 22:24:47")


def mysql_5_1():
    def about(number):
        return transaction(number, ids="pair", handle="", process=", process no 24262, OS thread id 1142745408")

    report = two_of_old(about=about, ids="pair", index="`PRIMARY`", one_line=True)
    return status(report, "110902  2:24:47")


def mysql_5_5():
    def about(number):
        return transaction(number, ids="hex", handle=", OS thread handle 0x7f7dfc117700")

    return status(two_of_old(about=about, ids="hex", index="`PRIMARY`"), "151117  7:11:10")


def mysql_5_6():
    return status(two_of_old(index="`PRIMARY`"), "2017-03-15 03:09:20 7f7e69b6fb00")


def mysql_5_7():
    return status(two_of_old(), "2019-08-25 09:54:22 0x2b9b3efde700")


def percona_5_6():
    """XtraDB adds how long a lock was held, and can leave out the records."""

    def locked(*args, **options):
        return f"{lock(*args, records=False, **options)} lock hold time 0 wait time before grant 0"

    return status(two_of_old(locked), "2016-02-28 03:09:20 7f7e69b6fb00")


def mysql_8_0(*, records=True, table="`shop`.`stock`"):
    parts = []
    for number in (1, 2):
        held = lock(number, HELD[number], waiting=False, records=records, table=table)
        wanted = lock(number, WANTED[number], waiting=True, records=records, table=table)
        parts += [
            f"*** ({number}) TRANSACTION:\n{transaction(number)}\n",
            f"*** ({number}) HOLDS THE LOCK(S):\n{held}\n",
            f"*** ({number}) WAITING FOR THIS LOCK TO BE GRANTED:\n{wanted}\n",
        ]
    report = "\n".join([*parts, "*** WE ROLL BACK TRANSACTION (2)"])
    return status(report, "2024-08-04 07:51:55 140452614428352")


def mysql_9_4():
    return mysql_8_0().replace("2024-08-04 07:51:55", "2025-10-04 07:51:55")


def aurora_2():
    """Aurora of MySQL 5.7: the parts of the status have another order."""
    return status(two_of_old(), "2022-01-25 09:54:22 0x2b9b3efde700", after="FILE I/O")


def aurora_3():
    """Aurora of MySQL 8.0, from the error log: the report has no rule around it."""
    return error_log_8_0().replace(" 0 [Note]", " 1432 [Note]")


def mariadb_10_3():
    def about(number):
        return transaction(number, thread="MySQL").replace("updating", "Updating")

    return status(two_of_old(about=about), "2019-02-14 02:50:38 0x7fafde560700")


def mariadb_10_6(*, victim=2, quote="`"):
    def about(number):
        return transaction(number, thread="MariaDB").replace("updating", "Updating")

    parts = []
    table = f"{quote}shop{quote}.{quote}stock{quote}"
    for number, other in ((1, 2), (2, 1)):
        parts += [
            f"*** ({number}) TRANSACTION:\n{about(number)}",
            "*** WAITING FOR THIS LOCK TO BE GRANTED:\n" + lock(number, WANTED[number], waiting=True, table=table),
            f"*** CONFLICTING WITH:\n{lock(other, HELD[other], waiting=False, table=table)}\n",
        ]
    report = "\n".join([*parts, f"*** WE ROLL BACK TRANSACTION ({victim})"])
    return status(report, "2023-06-12 15:52:48 0x7f5e4c266640")


def mariadb_11_of_ansi_quotes():
    return mariadb_10_6(quote='"')


def _sections(text):
    """The report of a status, at each of its headings."""
    report = text.partition("LATEST DETECTED DEADLOCK\n------------------------\n")[2].partition("\n-----")[0]
    return re.split(r"^(?=\*\*\*)", report.partition("\n")[2], flags=re.MULTILINE)


def error_log_5_5():
    """One heading, then the report as it is."""
    report = "".join(_sections(mysql_5_5()))
    begin = "151117  7:11:10 InnoDB: transactions deadlock detected, dumping detailed information."
    return f"{begin}\n{report}"


def error_log_5_7():
    begin = "2019-08-25T09:54:22.123456Z 41 [Note] InnoDB:"
    lines = ["2019-08-25T09:54:20.0Z 0 [Note] Aborted connection 7"]
    lines.append(f"{begin} Transactions deadlock detected, dumping detailed information.")
    for section in _sections(mysql_5_7()):
        lines += [f"{begin} ", section]
    return "\n".join([*lines, "2019-08-25T09:55:00Z 0 [Note] more"])


def error_log_8_0():
    begin = "2024-08-04T07:51:55.786277Z 0 [Note] [MY-012468] [InnoDB]"
    each = "2024-08-04T07:51:55.786346Z 0 [Note] [MY-012469] [InnoDB]"
    sections = [f"{each}   {section}" for section in _sections(mysql_8_0())]
    return "\n".join([f"{begin} Transactions deadlock detected, dumping detailed information.", *sections])


def error_log_of_mariadb():
    lines = ["2024-12-19 10:27:46 266487 [Note] InnoDB: Transactions deadlock detected, dumping detailed information."]
    for section in _sections(mariadb_10_6()):
        head, _, rest = section.partition("\n")
        lines.append(f"2024-12-19 10:27:46 266487 [Note] InnoDB: {head}\n\n{rest}")
    return "\n".join(lines)


SERVERS = {
    each.__name__: each
    for each in (
        *(mysql_5_0, mysql_5_1, mysql_5_5, mysql_5_6, mysql_5_7, percona_5_6, mysql_8_0, mysql_9_4, aurora_2, aurora_3),
        *(mariadb_10_3, mariadb_10_6, mariadb_11_of_ansi_quotes),
        *(error_log_5_5, error_log_5_7, error_log_8_0, error_log_of_mariadb),
    )
}


def each_line(_):
    """Empty lines are indented too."""
    return True


def vertical(text):
    r"""What the client prints for ``\G``."""
    row = f"{'*' * 27} 1. row {'*' * 27}"
    head = f"mysql> SHOW ENGINE INNODB STATUS\\G\n{row}\n  Type: InnoDB\n  Name: \nStatus: \n"
    return f"{head}{text}\n1 row in set (0.00 sec)\n"


def in_a_box(text):
    """What the client prints without ``\\G``, shortened."""
    rule = "+--------+------+--------+"
    return f"{rule}\n| Type   | Name | Status |\n{rule}\n| InnoDB |      | \n{text} |\n{rule}\n"


def batch(text):
    r"""What ``mysql -e`` prints: one line, in which ``\n`` stands for the end of a line."""
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    return f"Type\tName\tStatus\nInnoDB\t\t{escaped}\n"


def in_json(text):
    return json.dumps({"time": "now", "message": text}).replace("/", "\\/")


def from_windows(text):
    return text.replace("\n", "\r\n")


def indented(text):
    return indent(text, " " * 8, each_line)


def quoted(text):
    return "On Monday somebody wrote:\n" + indent(text, "> ", each_line)


def quoted_twice(text):
    return indent(text, ">> ", each_line)


def quoted_and_stripped(text):
    """A mail program has taken away the spaces at the ends of lines."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def from_a_container(text):
    return indent(text, "mysql_1  | ", each_line)


def from_syslog(text):
    lines = [f"Nov 29 12:{n % 60:02d}:17 db1 mysqld[2211]: {line}" for n, line in enumerate(text.splitlines())]
    return "\n".join(lines)


def from_kubernetes(text):
    lines = [f"2024-03-01T10:{n % 60:02d}:00.12{n % 10}Z stdout F {line}" for n, line in enumerate(text.splitlines())]
    return "\n".join(lines)


def numbered(text):
    return "\n".join(f"{n:4} {line}" for n, line in enumerate(text.splitlines(), 1))


def as_a_list(text):
    return indent(text, "- ", each_line)


def without_asterisks(text):
    """Markdown has taken them for emphasis."""
    return re.sub(r"^\*\*\* (?=\(|WE)", "", text, flags=re.MULTILINE)


def with_collapsed_spaces(text):
    """A web page has made one space of several, and taken away those that begin a line."""
    return re.sub(r"^ ", "", re.sub(r" +", " ", text), flags=re.MULTILINE)


def without_line_breaks(text):
    return " ".join(text.split())


def broken_at_80(text):
    """A mail program has broken the long lines, but not within words."""
    return re.sub(r"(?m)^(.{50,79})\s(?=\S)", r"\1\n", text)


def in_colours(text):
    """As a log that was printed for a terminal."""
    return "\n".join(f"\x1b[33m{line}\x1b[0m" for line in text.split("\n"))


PASTED = {
    each.__name__: each
    for each in (
        *(vertical, in_a_box, batch, in_json, from_windows, indented, quoted, quoted_twice, quoted_and_stripped),
        *(from_a_container, from_syslog, from_kubernetes, numbered, as_a_list, without_asterisks),
        *(with_collapsed_spaces, without_line_breaks, broken_at_80, in_colours),
    )
}
