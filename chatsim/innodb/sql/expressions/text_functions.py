"""Functions of texts: manual, "String Functions and Operators", "Regular Expressions", "Encryption Functions"."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import zlib
from decimal import ROUND_HALF_UP, Decimal

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.arithmetic import to_integer
from chatsim.innodb.sql.expressions.environment import Env
from chatsim.innodb.sql.expressions.native import native
from chatsim.innodb.storage.collations import collate
from chatsim.innodb.storage.values import Value, as_number, as_text

__all__ = ["parted", "trimmed"]

_MOST = 64 * 1024 * 1024
"""``max_allowed_packet``, which no text may be longer than."""


def parted(text: str, start: int, length: int | None = None) -> str:
    """A part of a text from a position, which counts from 1, or from the end if it is negative."""
    if start == 0 or -start > len(text):
        return ""
    begin = start - 1 if start > 0 else len(text) + start
    return text[begin:] if length is None else text[begin : begin + max(0, length)]


def trimmed(text: str, position: str, what: str) -> str:
    """A text without what is at its beginning (LEADING), at its end (TRAILING), or both."""
    if not what:
        return text
    while position != "TRAILING" and text.startswith(what):
        text = text[len(what) :]
    while position != "LEADING" and text.endswith(what):
        text = text[: -len(what)]
    return text


@native("CONCAT_WS", signature="tv*", result="text", takes_nulls=True)
def _concat_ws(_: Env, separator: str | None, *parts: Value) -> Value:
    return None if separator is None else separator.join(as_text(each) for each in parts if each is not None)


@native("RIGHT", signature="ti", result="text")
def _right(_: Env, text: str, count: int) -> Value:
    return text[-count:] if count > 0 else ""


@native("MID", signature="tii", result="text")
def _mid(_: Env, text: str, start: int, length: int) -> Value:
    return parted(text, start, length)


@native("LTRIM", signature="t", result="text")
def _ltrim(_: Env, text: str) -> Value:
    return text.lstrip(" ")


@native("RTRIM", signature="t", result="text")
def _rtrim(_: Env, text: str) -> Value:
    return text.rstrip(" ")


@native("REPLACE", signature="ttt", result="text")
def _replace(_: Env, text: str, old: str, new: str) -> Value:
    return text.replace(old, new) if old else text


@native("REVERSE", signature="t", result="text")
def _reverse(_: Env, text: str) -> Value:
    return text[::-1]


@native("REPEAT", signature="ti", result="text")
def _repeat(env: Env, text: str, times: int) -> Value:
    return _bounded(env, "repeat", len(text.encode()) * times) and text * max(0, times)


@native("SPACE", signature="i", result="text")
def _space(env: Env, times: int) -> Value:
    return _bounded(env, "space", times) and " " * max(0, times)


def _bounded(env: Env, name: str, length: int) -> str | None:
    """None, with a warning, for a result that would be too long."""
    if length <= _MOST:
        return "fits"
    env.session.note(1301, f"Result of {name}() was larger than max_allowed_packet ({_MOST}) - truncated")
    return None


@native("LPAD", signature="tit", result="text")
def _lpad(_: Env, text: str, length: int, pad: str) -> Value:
    filled = _filled(text, length, pad)
    return None if filled is None else filled + text[:length]


@native("RPAD", signature="tit", result="text")
def _rpad(_: Env, text: str, length: int, pad: str) -> Value:
    filled = _filled(text, length, pad)
    return None if filled is None else text[:length] + filled


def _filled(text: str, length: int, pad: str) -> str | None:
    missing = length - len(text)
    if length < 0:
        return None
    return (pad * missing)[:missing] if missing > 0 else ""


@native("INSERT", signature="tiit", result="text")
def _insert(_: Env, text: str, start: int, length: int, new: str) -> Value:
    if not 1 <= start <= len(text):
        return text
    end = len(text) if length < 0 else start - 1 + length
    return text[: start - 1] + new + text[end:]


@native("LOCATE", signature="tt|i", result="integer")
def _locate(_: Env, part: str, text: str, start: int = 1) -> Value:
    return collate(text).find(collate(part), start - 1) + 1 if start > 0 else 0


@native("INSTR", signature="tt", result="integer")
def _instr(env: Env, text: str, part: str) -> Value:
    return _locate(env, part, text)


@native("STRCMP", signature="tt", result="integer")
def _strcmp(_: Env, one: str, other: str) -> Value:
    left, right = collate(one), collate(other)
    return (left > right) - (left < right)


@native("FIND_IN_SET", signature="tt", result="integer")
def _find_in_set(_: Env, member: str, members: str) -> Value:
    found = [collate(each) for each in members.split(",")] if members else []
    return found.index(collate(member)) + 1 if collate(member) in found else 0


@native("FIELD", signature="vv*", result="integer", takes_nulls=True)
def _field(_: Env, wanted: Value, *values: Value) -> Value:
    if wanted is None:
        return 0
    if all(isinstance(each, str) for each in (wanted, *values) if each is not None):
        keys = [None if each is None else collate(as_text(each)) for each in (wanted, *values)]
        return keys.index(keys[0], 1) if keys[0] in keys[1:] else 0
    numbers = [None if each is None else as_number(each) for each in (wanted, *values)]
    return numbers.index(numbers[0], 1) if numbers[0] in numbers[1:] else 0


@native("ELT", signature="iv*", result="text", takes_nulls=True)
def _elt(_: Env, number: int | None, *values: Value) -> Value:
    if number is None or not 1 <= number <= len(values):
        return None
    found = values[number - 1]
    return None if found is None else as_text(found)


@native("SUBSTRING_INDEX", signature="tti", result="text")
def _substring_index(_: Env, text: str, delimiter: str, count: int) -> Value:
    if not delimiter or not count:
        return ""
    parts = text.split(delimiter)
    return delimiter.join(parts[:count] if count > 0 else parts[count:])


@native("ASCII", signature="t", result="integer")
def _ascii(_: Env, text: str) -> Value:
    return text.encode()[0] if text else 0


@native("ORD", signature="t", result="integer")
def _ord(_: Env, text: str) -> Value:
    return int.from_bytes(text[0].encode()) if text else 0


@native("OCTET_LENGTH", signature="t", result="integer")
def _octet_length(_: Env, text: str) -> Value:
    return len(text.encode())


@native("BIT_LENGTH", signature="t", result="integer")
def _bit_length(_: Env, text: str) -> Value:
    return 8 * len(text.encode())


@native("HEX", signature="v", result="text")
def _hex(_: Env, value: Value) -> Value:
    if isinstance(value, str | bytes):
        return (value if isinstance(value, bytes) else value.encode()).hex().upper()
    if isinstance(value, int | float | Decimal):
        return f"{to_integer(value) % 2**64:X}"
    return as_text(value).encode().hex().upper()


@native("UNHEX", signature="t", result="text")
def _unhex(_: Env, text: str) -> Value:
    try:
        return bytes.fromhex(text.zfill(len(text) + len(text) % 2))
    except ValueError:
        return None


@native("QUOTE", signature="v", result="text", takes_nulls=True)
def _quote(_: Env, value: Value) -> Value:
    if value is None:
        return "NULL"
    text = as_text(value).replace("\\", "\\\\").replace("'", "\\'")
    return "'" + text.replace("\0", "\\0").replace("\x1a", "\\Z") + "'"


@native("FORMAT", signature="ni", result="text")
def _format(_: Env, number: float | Decimal, decimals: int) -> Value:
    exact = Decimal(str(number)).quantize(Decimal(1).scaleb(-max(0, decimals)), ROUND_HALF_UP)
    return f"{exact:,f}"


@native("SHA2", signature="vi", result="text")
def _sha2(_: Env, value: Value, bits: int) -> Value:
    if bits not in (0, 224, 256, 384, 512):
        return None
    data = value if isinstance(value, bytes) else as_text(value).encode()
    return hashlib.new(f"sha{bits or 256}", data).hexdigest()


@native("MD5", "SHA1", "SHA", "PASSWORD", "ENCRYPT", signature="v*", result="text", takes_nulls=True)
def _gone(_: Env, *__: Value) -> Value:
    raise database_error(1305, "FUNCTION MD5 or SHA1 does not exist: the server has left it out since 9.6")


@native("CRC32", signature="v", result="integer")
def _crc32(_: Env, value: Value) -> Value:
    return zlib.crc32(value if isinstance(value, bytes) else as_text(value).encode())


@native("INET_ATON", signature="t", result="integer")
def _inet_aton(_: Env, text: str) -> Value:
    try:
        return int(ipaddress.IPv4Address(text))
    except ValueError:
        return None


@native("INET_NTOA", signature="i", result="text")
def _inet_ntoa(_: Env, number: int) -> Value:
    return str(ipaddress.IPv4Address(number)) if 0 <= number < 2**32 else None


# -- regular expressions


def _found(text: str, pattern: str, how: str = "") -> re.Match[str] | None:
    return _compiled(pattern, how).search(text)


def _compiled(pattern: str, how: str) -> re.Pattern[str]:
    flags = re.NOFLAG if "c" in how else re.IGNORECASE
    flags |= re.MULTILINE if "m" in how else re.NOFLAG
    flags |= re.DOTALL if "n" in how else re.NOFLAG
    try:
        return re.compile(re.sub(r"\[\[:(\w+):\]\]", _character_class, pattern), flags)
    except re.error as error:
        raise database_error(3685, f"Illegal argument to a regular expression: {error}") from None


_CLASSES = {"alpha": "[^\\W\\d_]", "digit": "\\d", "space": "\\s", "alnum": "[^\\W_]", "word": "\\w"}


def _character_class(found: re.Match[str]) -> str:
    return _CLASSES.get(found[1], found[0])


@native("REGEXP_LIKE", signature="tt|t", result="integer")
def _regexp_like(_: Env, text: str, pattern: str, how: str = "") -> Value:
    return int(_found(text, pattern, how) is not None)


@native("REGEXP_INSTR", signature="tt", result="integer")
def _regexp_instr(_: Env, text: str, pattern: str) -> Value:
    found = _found(text, pattern)
    return 0 if found is None else found.start() + 1


@native("REGEXP_SUBSTR", signature="tt", result="text")
def _regexp_substr(_: Env, text: str, pattern: str) -> Value:
    found = _found(text, pattern)
    return None if found is None else found.group()


@native("REGEXP_REPLACE", signature="ttt", result="text")
def _regexp_replace(_: Env, text: str, pattern: str, new: str) -> Value:
    return _compiled(pattern, "").sub(re.sub(r"\$(\d)", r"\\\1", new), text)
