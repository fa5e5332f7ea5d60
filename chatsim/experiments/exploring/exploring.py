"""Explore a strategy, or transactions, in every order: the function, and what it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from chatsim.chat.creation import STRATEGIES, CreationStrategy, named
from chatsim.conformance.gates import gates
from chatsim.conformance.transactions import BadTransactionsError, Transaction, TransactionFile, parse
from chatsim.db.session import Isolation
from chatsim.db.text import statements
from chatsim.experiments.catchup.cursors import CURSORS, CursorKind
from chatsim.experiments.exploring.creations import QUESTIONS, creations
from chatsim.experiments.exploring.cursors import cursor_questions, writers_and_reader
from chatsim.experiments.exploring.explored import Explored
from chatsim.experiments.exploring.patterns import NEWS, PATTERNS, PRESENT, News, Pattern, Present
from chatsim.exploration.choices import Switches
from chatsim.exploration.problem import Problem
from chatsim.exploration.questions import ANSWERED, ENDS, NO_DEADLOCK, Question
from chatsim.exploration.search import Progress
from chatsim.exploration.search import explore as search
from chatsim.exploration.serial_orders import SERIALIZABLE, serializable
from chatsim.exploration.verdict import Bound, Exploration
from chatsim.worlds.world import BadParameterError

__all__ = ["Exploring", "explore"]


CURSOR = "cursor:"
"""What stands before the name of a kind of cursor."""

_FORCING_SECONDS = 30.0
"""The longest time to look for a session that forces what is found only inside statements."""

_LEAST = {"callers": 1, "looks": 1, "retries": 0, "deaths": 0, "losses": 0, "timeouts": 0, "states": 1, "workers": 1}


@dataclass(frozen=True)
class Exploring:
    """How something is explored.

    Attributes:
        callers: of a strategy, how many there are; of a kind of cursor, how many write.
        looks: of a kind of cursor, how often the reader looks while they write.
        news: of a kind of cursor, what they write: messages, threads, or changes of messages.
        copies: of transactions, how many callers run each; None: one, or two if there is a single one.
        pattern: of a strategy, who asks for whom.
        present: of a strategy, which chats there are before.
        tables: of a strategy, the name of the schema.
        isolation: the isolation level; None is the strategy's, the file's, or REPEATABLE READ.
        retries: how often a caller tries again after a deadlock, a timeout, a duplicate key or a lost connection.
        deaths: how many callers may die, before any statement but their first.
        losses: how many replies may be lost, with the connection.
        timeouts: how many waits for locks may take too long.
        inside: whether a statement may be overtaken at each record that it meets, as on a server. What is found
            only so is marked.
        prune: whether orders are left out that differ only in when statements run that concern nobody else, and the ids
            that shipped strategies are given are opaque (`Problem`). Verdicts stay, and interleavings are not counted.
        ask: the names of the questions; empty: all.
        states: the greatest number of states.
        seconds: the longest time.
        workers: how many processes carry interleavings out.
    """

    callers: int = 2
    looks: int = 2
    news: News = "messages"
    copies: int | None = None
    pattern: Pattern = "same_pair"
    present: Present = "nothing"
    tables: str = "hardened"
    isolation: str | None = None
    retries: int = 3
    deaths: int = 0
    losses: int = 0
    timeouts: int = 0
    inside: bool = False
    prune: bool = False
    ask: Sequence[str] = ()
    states: int = 1_000_000
    seconds: float = 600.0
    workers: int = 1

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise BadParameterError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        if not self.seconds >= 0:
            raise BadParameterError(f"seconds is {self.seconds}; it must be at least 0")
        if self.copies is not None and self.copies < 1:
            raise BadParameterError(f"copies is {self.copies}; it must be at least 1")
        for name, value, choices in (
            ("pattern", self.pattern, PATTERNS),
            ("present", self.present, PRESENT),
            ("news", self.news, NEWS),
        ):
            if value not in choices:
                raise BadParameterError(f"{name} is {value!r}; it can be: {', '.join(choices)}")

    @property
    def level(self) -> Isolation | None:
        """The isolation level. Raises `BadParameterError`."""
        if self.isolation is None:
            return None
        try:
            return Isolation(self.isolation.upper().replace("-", " ").replace("_", " "))
        except ValueError as error:
            raise BadParameterError(str(error)) from None

    @property
    def switches(self) -> Switches:
        """What may happen besides."""
        return Switches(self.retries, self.deaths, self.losses, self.timeouts, self.inside)

    def strategy(self, strategy: CreationStrategy, progress: Progress | None = None) -> Explored:
        """Explore a creation strategy."""
        problem = creations(
            strategy,
            callers=self.callers,
            pattern=self.pattern,
            present=self.present,
            tables=self.tables,
            isolation=self.level,
            switches=self.switches,
            opaque_ids=self.prune and strategy in STRATEGIES.values(),
        )
        return self._explored(strategy.name, problem, partial(self._asked, questions=QUESTIONS), progress)

    def cursor(self, kind: CursorKind, progress: Progress | None = None) -> Explored:
        """Explore a kind of cursor."""
        if self.level is not None:
            raise BadParameterError(f"the isolation level of the cursor {kind.name} is its own: {kind.isolation}")
        problem = writers_and_reader(
            kind, writers=self.callers, looks=self.looks, news=self.news, switches=self.switches
        )
        questions = self._among(cursor_questions(kind, self.news))
        return self._explored(f"cursor {kind.name}, {self.news}", problem, lambda _: questions, progress)

    def transactions(self, file: TransactionFile, name: str, progress: Progress | None = None) -> Explored:
        """Explore the transactions of a file."""
        problem = file.problem(copies=self.copies, isolation=self.level, switches=self.switches)
        return self.problem(problem, name, file.questions(), progress)

    def problem(
        self,
        problem: Problem,
        name: str,
        assertions: Sequence[Question] = (),
        progress: Progress | None = None,
    ) -> Explored:
        """Explore callers of any kind, with what is asked of all, and what is asserted besides."""
        asked = partial(self._asked, questions=(ENDS, NO_DEADLOCK, ANSWERED), assertions=assertions)
        return self._explored(name, problem, asked, progress)

    def _explored(
        self,
        name: str,
        problem: Problem,
        asked: Callable[[Problem], Sequence[Question]],
        progress: Progress | None,
    ) -> Explored:
        """What is found.

        Args:
            name: what is explored.
            problem: its callers.
            asked: gives what is asked about a problem.
            progress: is told how far the search has come.
        """
        questions = asked(problem)
        explored = partial(
            search, bound=Bound(self.states, self.seconds), prunes=self.prune, workers=self.workers, progress=progress
        )
        if not self.inside:
            return Explored.of(name, explored(problem, questions), questions)
        whole = replace(problem, switches=replace(problem.switches, inside=False))
        outside = explored(whole, questions)
        if outside.interrupted:
            return Explored.of(name, outside, questions)
        found = explored(problem, questions)
        only = [each.question for each in found.findings if not outside.violations[each.question]]
        return Explored.of(name, found, questions, outside, self._forced(whole, only, asked))

    def _forced(
        self, problem: Problem, wanted: Sequence[str], asked: Callable[[Problem], Sequence[Question]]
    ) -> dict[str, Exploration]:
        """Of what needs a statement that is overtaken inside, what a further session can force that holds a lock."""
        found: dict[str, Exploration] = {}
        until = time.monotonic() + min(self.seconds, _FORCING_SECONDS)
        for gate in gates(problem) if wanted else ():
            left = until - time.monotonic()
            missing = [each for each in wanted if each not in found]
            if not missing or left <= 0:
                break
            gated = replace(problem, callers=(*problem.callers, gate))
            questions = [each for each in asked(gated) if each.name in missing]
            explored = search(gated, questions, bound=Bound(self.states, left), prunes=True)
            found |= {each.question: explored for each in explored.findings}
        return found

    def _asked(
        self, problem: Problem, questions: Sequence[Question], assertions: Sequence[Question] = ()
    ) -> list[Question]:
        self._check([*(each.name for each in questions), SERIALIZABLE, *(each.name for each in assertions)])
        return self._among([*questions, *self._serializable(problem), *assertions])

    def _among(self, questions: Sequence[Question]) -> list[Question]:
        self._check([each.name for each in questions])
        return [each for each in questions if not self.ask or each.name in self.ask]

    def _check(self, known: Sequence[str]) -> None:
        if unknown := [each for each in self.ask if each not in known]:
            raise BadParameterError(f"ask names {unknown[0]!r}; there are: {', '.join(known)}")

    def _serializable(self, problem: Problem) -> list[Question]:
        if self.ask and SERIALIZABLE not in self.ask:
            return []  # all serial orders would be carried out for nothing
        try:
            return [serializable(problem)]
        except ValueError as error:
            raise BadParameterError(f"{error}; ask for something else than {SERIALIZABLE!r}") from None


def explore(
    what: str | Path | CreationStrategy | CursorKind | None = None,
    *,
    tables: str | None = None,
    transactions: Sequence[str] = (),
    **how: object,
) -> Explored:
    """Run callers in every order that their locks allow, in the model, and judge each.

    Args:
        what: a creation strategy or its name; a file of SQL with transactions (`chatsim.conformance.transactions`); or
            a kind of cursor, or its name behind ``cursor:``.
        tables: for transactions: the statements that make the tables and their rows. For a strategy: the schema.
        transactions: the statements of each transaction, if they are in no file.
        how: the fields of `Exploring`, such as ``callers``, ``copies``, ``isolation``, ``retries``, ``seconds``.

    Raises:
        BadParameterError, UnknownStrategyError, BadTransactionsError: what is asked for makes no sense.
        DatabaseError: the tables can't be made.
        NotImplementedError: the model does not know a statement; the message names it.
        StrategyError: the strategy is broken.
    """
    if transactions:
        if what is not None:
            raise BadParameterError("give transactions, or what to explore, and not both")
        bodies = {f"t{number}": statements(text) for number, text in enumerate(transactions, 1)}
        made = {name: Transaction(name, body) for name, body in bodies.items()}
        file = TransactionFile(tuple(statements(tables or "")), made)
        return Exploring(**how).transactions(file, "transactions")  # type: ignore[arg-type]
    if what is None:
        raise BadParameterError("nothing to explore: give a strategy, a file of SQL, or transactions")
    if isinstance(what, CursorKind) or (isinstance(what, str) and what.startswith(CURSOR)):
        chosen = kinds(what)
        if len(chosen) != 1:
            raise BadParameterError(f"one kind of cursor is explored at a time, not {len(chosen)}")
        return Exploring(**how).cursor(chosen[0])  # type: ignore[arg-type]
    if isinstance(what, Path) or (isinstance(what, str) and what.endswith(".sql")):
        path = Path(what)
        return Exploring(**how).transactions(read(path), path.stem)  # type: ignore[arg-type]
    found = named(what)
    if len(found) != 1:
        raise BadParameterError(f"one strategy is explored at a time, not {len(found)}")
    return Exploring(tables=tables or "hardened", **how).strategy(found[0])  # type: ignore[arg-type]


def kinds(what: str | CursorKind) -> list[CursorKind]:
    """The kinds of cursors of a name behind `CURSOR`, or all. Raises `BadParameterError`."""
    if isinstance(what, CursorKind):
        return [what]
    name = what.removeprefix(CURSOR)
    if name != "all" and name not in CURSORS:
        raise BadParameterError(f"unknown kind of cursor {name!r}; there are: {', '.join(CURSORS)}, and all")
    return [*CURSORS.values()] if name == "all" else [CURSORS[name]]


def read(path: Path) -> TransactionFile:
    """The transactions of a file. Raises `BadTransactionsError`."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadTransactionsError(f"{path} can't be read: {error}") from error
    except BadTransactionsError as error:
        raise BadTransactionsError(f"{path}: {error}") from error
