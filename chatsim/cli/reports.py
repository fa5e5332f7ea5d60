"""Reports about a result for a pipeline: JUnit's XML, and Markdown for a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from chatsim.experiments.tables import in_digits
from chatsim.experiments.variant import verdict_words

if TYPE_CHECKING:
    from chatsim.db.deadlock import Deadlock
    from chatsim.experiments.checks import Verdict
    from chatsim.experiments.gate import Gate
    from chatsim.experiments.result import Result
    from chatsim.experiments.variant import Variant

__all__ = ["junit", "markdown", "proof"]


def junit(result: Result, gate: Gate) -> bytes:
    """A test case for each variant, in the form of JUnit's reports, as XML.

    A test case fails if its variant keeps the gate closed, so some fail if and only if the exit status is 1. The
    verdict of a variant that need not pass is its output.
    """
    suite = ET.Element("testsuite", name=f"chatsim {result.config['experiment']}")
    for variant in result.variants:
        case = ET.SubElement(suite, "testcase", classname=_class(result), name=variant.name)
        case.set("time", f"{variant.window_s:.3f}")
        if any(each is variant for each in (*gate.unsafe, *gate.untested)):
            _fail(case, *_said(variant))
        elif variant.verdict is not None:
            ET.SubElement(case, "system-out").text = ": ".join(filter(None, _said(variant)[:2]))
    for name in gate.absent:
        _fail(ET.SubElement(suite, "testcase", classname=_class(result), name=name), "not tested", "no row is about it")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def markdown(result: Result, gate: Gate) -> bytes:
    """The table of a result, its conditions, what keeps the gate closed, and why what is unsafe is so."""
    headings = [*result.shown.values()]
    rows = [
        [
            "" if name in said else _cell(verdict_words(row) if name == "verdict" else row.get(name))
            for name in result.shown
        ]
        for row, said in zip(result.rows(), result.said_above(), strict=True)
    ]
    lines = [f"### {result.title}", "", _row(headings), _row(["---"] * len(headings)), *map(_row, rows)]
    lines += ["", f"{result.conditions()}", *(f"\nWarning: {each}" for each in result.warnings)]
    lines += [f"\n**{sentence}**" for sentence in gate.sentences()]
    explained: list[Deadlock] = []
    for variant in result.variants:
        word, why, shown = _said(variant)
        if variant.verdict is not None and variant.verdict.anomalies:
            lines += ["", f"{variant.name} is {word}: {why}", "", "```", shown, "```"]
        if variant.deadlock is not None and variant.deadlock not in explained:
            explained.append(variant.deadlock)
            lines += ["", f"A deadlock of {variant.name}:", "", "```", variant.deadlock.explain(), "```"]
    return ("\n".join(lines) + "\n").encode()


def _class(result: Result) -> str:
    return f"chatsim.{result.config['experiment']}"


def _fail(case: ET.Element, word: str, why: str, shown: str = "") -> None:
    ET.SubElement(case, "failure", type=word, message=f"{word}: {why}").text = shown


def _said(variant: Variant) -> tuple[str, str, str]:
    """The verdict in a word, why, and the proof."""
    if variant.verdict is None:
        return "", "", ""
    why = ", but ".join(filter(None, (variant.verdict.why, variant.verdict.remark)))
    return variant.verdict.word.value, why, proof(variant.verdict)


def proof(verdict: Verdict) -> str:
    """The first anomalies of a verdict, explained."""
    return "\n".join(anomaly.explain() for anomaly in verdict.anomalies[:3])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return in_digits(value) if isinstance(value, float) else str(value)
