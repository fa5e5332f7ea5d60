r"""From a report as it was pasted to the text that the server printed.

A report reaches us quoted in a mail, indented, from Windows, as one line with ``\n`` in it (the client's batch mode,
JSON), or through logs that put a time and a name before each line. What stands before the report's own words on many
lines is taken away.
"""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["plain"]

_DETECTED = re.compile(r"transactions\b", re.IGNORECASE)
"""How the line begins with which the error log begins a report."""

_ESCAPED = re.compile(r"\\n\s*(?:\*{1,3} ?\(|\\n\*\*\*|RECORD LOCKS|TRANSACTION \w+)")
_ESCAPE = re.compile(r"\\(r\\n|u[0-9A-Fa-f]{4}|[nrt0\"'/\\])")
_CHARACTERS = {"n": "\n", "r\\n": "\n", "r": "\n", "t": "\t", "0": " "}

_INVISIBLE = re.compile(r"\ufeff|\u200b|\x1b\[[\d;]*[A-Za-z]")
"""Marks without a width, and what makes a terminal show colours."""

_LOG = re.compile(
    r"""
    \s* (?P<time> \d{4}-\d\d-\d\d[T ]+\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)? | \d{6}\s+\d{1,2}:\d\d:\d\d )?
    (?: \s+(?:0x)?[0-9a-f]+ )?
    \s* (?: \[\w+\] \s* )? (?: \[MY-\d+\] \s* )?
    (?: \[InnoDB\] | InnoDB: ) [ \t]?
    """,
    re.VERBOSE,
)
_LOG_WITHIN = re.compile(
    r"(?<=\S) (?=\d{4}-\d\d-\d\d[T ]\d{1,2}:\d\d:\d\d\S* (?:0x)?[0-9a-f]+ \[\w+\] (?:\[MY-\d+\] )?\[?InnoDB)"
)
_LANDMARK = re.compile(
    r"(?:\*{1,3}[ ]?)?\(\d+\)[ ](?:TRANSACTION|HOLDS|WAITING)|\*{3}[ ](?:WE[ ]ROLL|WAITING|CONFLICTING)"
    r"|(?<!-)TRANSACTION[ ](?:0[ ])?[0-9A-F]+,|mysql[ ]tables[ ]in[ ]use|LOCK[ ]WAIT[ ]\d"
    r"|(?:MySQL|MariaDB)[ ]thread[ ]id|RECORD[ ]LOCKS[ ]space|TABLE[ ]LOCK[ ]table|Record[ ]lock,[ ]heap"
    r"|\d+:[ ]len[ ]\d+;[ ]hex"
)
_LONGEST_PREFIX = 150
_BEGINNING = 300
"""How many characters of a line are searched for a prefix and what follows it."""

_FEWEST_LINES = 3
_MOST_PREFIXES = 3


def plain(text: str) -> str:
    """The text without what the way to us has put into it. A log's time stays before a report."""
    if _ESCAPED.search(text):
        text = _ESCAPE.sub(lambda found: _unescaped(found[1]), text)
    text = _INVISIBLE.sub("", text).replace("\xa0", " ")
    text = re.sub(r"\r\n?|\u2028", "\n", text)
    lines = _LOG_WITHIN.sub("\n", text).split("\n")
    for _ in range(_MOST_PREFIXES):  # a log in a container's log, quoted in a mail
        lines = [_without_log_prefix(line) for line in lines]
        prefixes = _prefixes(lines)
        if not prefixes:
            break
        pattern = re.compile("|".join(sorted(prefixes, key=len, reverse=True)))
        lines = [_without(pattern, line) for line in lines]
    return "\n".join(lines)


def _unescaped(escaped: str) -> str:
    if escaped.startswith("u"):
        return chr(int(escaped[1:], 16))
    return _CHARACTERS.get(escaped, escaped)


def _without_log_prefix(line: str) -> str:
    found = _LOG.match(line, 0, _BEGINNING)
    if found is None:
        return line
    rest = line[found.end() :]
    return f"{found['time'] or ''} {rest}".strip() if _DETECTED.match(rest) else rest


def _without(pattern: re.Pattern[str], line: str) -> str:
    found = pattern.match(line)
    return line[found.end() :] if found else line


def _prefixes(lines: list[str]) -> list[str]:
    """What stands before the report's words on several lines, as regular expressions: numbers may differ."""
    found: Counter[str] = Counter()
    for line in lines:
        landmark = _LOG.search(line, 0, _BEGINNING) or _LANDMARK.search(line, 0, _BEGINNING)
        prefix = line[: landmark.start()].rstrip() if landmark else ""
        if prefix and len(prefix) <= _LONGEST_PREFIX and "; hex" not in prefix:
            found[_general(prefix)] += 1
    return [f"(?:{prefix})[ \\t]?" for prefix, times in found.items() if times >= _FEWEST_LINES]


def _general(prefix: str) -> str:
    """A regular expression for the prefix, with any word in place of one that has a digit."""
    parts = re.findall(r"\w+|\s+|[^\w\s]", prefix)
    return "".join(
        r"\w+" if any(map(str.isdigit, part)) else r"\s+" if part.isspace() else re.escape(part) for part in parts
    )
