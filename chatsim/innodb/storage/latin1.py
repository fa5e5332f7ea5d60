"""Collations of latin1: a weight for each character, as the server's WEIGHT_STRING() gives it."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LATIN1_WEIGHTS"]

_FIRST = 0x40
"""The characters before this one weigh what their codes are."""

_WEIGHTS = {
    "swedish_ci": (
        "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f604142434445464748494a4b4c4d4e4f"
        "505152535455565758595a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
        "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf414141415c5b5c434545454549494949"
        "444e4f4f4f4f5dd7d85555555959dedf414141415c5b5c434545454549494949444e4f4f4f4f5df7d85555555959deff"
    ),
    "general_ci": (
        "40415153575b6567696b7577797b7d818f919395989aa4a6a8aaafb3b4b5b6b7b8415153575b6567696b7577797b7d81"
        "8f919395989aa4a6a8aaafb9babbbcbfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
        "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff434547494b4d4f555d5f61636d6f7173"
        "597f838587898bbd8d9c9ea0a2acb197434547494b4d4f555d5f61636d6f7173597f838587898bbe8d9c9ea0a2acb1ae"
    ),
    "general_cs": (
        "40415153575b6567696b7577797b7d818f919395989aa4a6a8aaafb3b4b5b6b7b8425254585c66686a6c76787a7c7e82"
        "90929496999ba5a7a9abb0b9babbbcbfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
        "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff434547494b4d4f555d5f61636d6f7173"
        "597f838587898bbd8d9c9ea0a2acb1974446484a4c4e50565e6062646e7072745a808486888a8cbe8e9d9fa1a3adb2ae"
    ),
    "german1_ci": (
        "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f604142434445464748494a4b4c4d4e4f"
        "505152535455565758595a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
        "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf41414141414141434545454549494949"
        "d04e4f4f4f4f4fd74f5555555559de5341414141414141434545454549494949d04e4f4f4f4f4ff74f5555555559deff"
    ),
}


def _character(code: int) -> str:
    """The character of a byte: MySQL's latin1 is cp1252, with control characters where that has none."""
    try:
        return bytes([code]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(code)


def _by_character(weights: str) -> dict[int, str]:
    return {ord(_character(code)): chr(weight) for code, weight in enumerate(bytes.fromhex(weights), start=_FIRST)}


LATIN1_WEIGHTS: Mapping[str, Mapping[int, str]] = {kind: _by_character(each) for kind, each in _WEIGHTS.items()}
"""For each collation, by its name without the character set: the weights, for `str.translate`."""
