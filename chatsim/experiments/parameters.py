"""Parameters, declared once: a field's default, its domain and its help text.

The Python function's checks, the command's options, the saved config and ``docs/parameters.md`` all come from the
declaration. A parameter is a field of a frozen, keyword-only dataclass (an `Experiment`):

    clients: int = parameter(16, Whole(1), "how many callers")
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

from chatsim.worlds.world import BadParameterError

__all__ = [
    "BadParameterError",
    "Choice",
    "Choices",
    "Domain",
    "Flag",
    "Number",
    "Numbers",
    "Objects",
    "Parameter",
    "Weights",
    "When",
    "Whole",
    "convert",
    "parameter",
    "parameters",
    "plain",
    "refuse_idle",
    "units",
    "weights_of",
]

_UNITS = {"ms": "ms", "seconds": "s", "per second": "per_s", "Mbit/s": "mbit_per_s"}
"""Units in the names of columns."""

_HEAVIEST = 1_000_000
"""The largest weight."""


class Domain(Protocol):
    """The values that a parameter can have.

    Attributes:
        several: whether it takes one value or several.
    """

    several: bool

    def convert(self, name: str, value: Any) -> Any:
        """The value for the experiment. A converted value stays the same. Raises `BadParameterError`."""
        ...

    def parse(self, text: str) -> Any:
        """A word of a command line as a value for `convert`."""
        ...

    @property
    def choices(self) -> Collection[str]:
        """The allowed names; empty if the values are not names."""
        ...

    @property
    def bounds(self) -> str:
        """What is allowed, in words."""
        ...


@dataclass(frozen=True)
class Whole:
    """A whole number.

    Attributes:
        least: the smallest that is allowed.
    """

    least: int
    several = False
    choices: Collection[str] = ()

    def convert(self, name: str, value: Any) -> int:
        """The number."""
        try:
            number = operator.index(value)
        except TypeError:
            number = None
        if number is None or isinstance(value, bool) or number < self.least:
            raise BadParameterError(f"{name} is {value!r}; it must be {self.bounds}")
        return number

    def parse(self, text: str) -> object:
        """The number, or the text itself, which `convert` refuses."""
        return _number(int, text)

    @property
    def bounds(self) -> str:
        """The allowed values, in words."""
        return f"a whole number of at least {self.least}"


@dataclass(frozen=True)
class Number:
    """A finite number.

    Attributes:
        least: the smallest that is allowed.
        unit: of what.
        most: the largest that makes sense; infinity if any number does.
    """

    least: float
    unit: str = ""
    most: float = math.inf
    several = False
    choices: Collection[str] = ()

    def convert(self, name: str, value: Any) -> float:
        """The number."""
        number = None
        if not isinstance(value, bool) and isinstance(value, numbers.Real):  # numpy's bool is not Real
            try:
                number = float(value)
            except OverflowError:
                number = None
        if number is None or not self.least <= number <= self.most or number == math.inf:
            raise BadParameterError(f"{name} is {value!r}; it must be {self.bounds}")
        return number

    def parse(self, text: str) -> object:
        """The number, or the text itself, which `convert` refuses."""
        return _number(float, text)

    @property
    def bounds(self) -> str:
        """The allowed values, in words."""
        unit = self.unit and f" {self.unit}"
        if self.most < math.inf:
            return f"a number from {self.least:g} to {self.most:,.0f}{unit}"
        return f"a number of at least {self.least:g}{unit}"


@dataclass(frozen=True)
class Flag:
    """Yes or no."""

    several = False
    choices: Collection[str] = ()
    bounds = "True or False"

    def convert(self, name: str, value: Any) -> bool:
        """The value."""
        if not isinstance(value, bool):
            raise BadParameterError(f"{name} is {value!r}; it must be {self.bounds}")
        return value

    def parse(self, text: str) -> bool:
        """True for the word true."""
        return text.lower() == "true"


@dataclass(frozen=True)
class _Names:
    """Names that are known.

    Attributes:
        known: the names.
    """

    known: Collection[str]

    @property
    def choices(self) -> Collection[str]:
        """The names."""
        return self.known

    def parse(self, text: str) -> str:
        """One name, or several with commas."""
        return text


@dataclass(frozen=True)
class Choice(_Names):
    """One of several names."""

    several = False

    def convert(self, name: str, value: Any) -> str:
        """The name."""
        if not isinstance(value, str) or value not in self.known:
            raise BadParameterError(f"unknown {name} {value!r}; there are: {', '.join(self.known)}")
        return value

    @property
    def bounds(self) -> str:
        """The allowed values, in words."""
        return f"one of {', '.join(self.known)}"


@dataclass(frozen=True)
class Choices(_Names):
    """One or several of several names, each once: a name, names separated by commas, a sequence, or ``"all"``."""

    several = True

    def convert(self, name: str, value: Any) -> tuple[str, ...]:
        """The names, in the order given."""
        if isinstance(value, str):
            value = self.known if self._means_all(value) else value.split(",")
        one = Choice(self.known)
        words = _sequence(name, value)
        return _some(name, (one.convert(name, word.strip() if isinstance(word, str) else word) for word in words))

    def _means_all(self, text: str) -> bool:
        """Whether it is the word for all names, and none of the names itself."""
        return text.strip() == "all" and "all" not in self.known

    @property
    def bounds(self) -> str:
        """The allowed values, in words."""
        return f"{'all, or ' if self._means_all('all') else ''}some of {', '.join(self.known)}"


@dataclass(frozen=True)
class Numbers:
    """One number or several, each once.

    Attributes:
        each: what each of them is.
    """

    each: Whole | Number
    several = True
    choices: Collection[str] = ()

    def convert(self, name: str, value: Any) -> tuple[Any, ...]:
        """The numbers, in the order given."""
        values = [value] if isinstance(value, str) or not isinstance(value, Iterable) else _sequence(name, value)
        return _some(name, (self.each.convert(name, number) for number in values))

    def parse(self, text: str) -> list[object]:
        """Numbers, separated by commas."""
        return [self.each.parse(word) for word in text.split(",")]

    @property
    def bounds(self) -> str:
        """The allowed values, in words."""
        return f"one or several, each {self.each.bounds}"


@dataclass(frozen=True)
class Objects(_Names):
    """One or several objects that are known by their names, such as strategies; or ``"all"``.

    Attributes:
        find: gives the objects for what was given: an object, a name, names with commas, a sequence of these, or
            ``"all"``. Raises an error that names the culprit.
    """

    find: Callable[[Any], Iterable[Any]]
    several = True

    def convert(self, name: str, value: Any) -> tuple[Any, ...]:
        """The objects."""
        found = tuple(self.find(value))
        names = [each.name for each in found]
        if twice := sorted({each for each in names if names.count(each) > 1}):
            raise BadParameterError(f"{name} are told apart by name; {', '.join(twice)} is there twice")
        return _some(name, found)

    @property
    def bounds(self) -> str:
        """The allowed values, in words."""
        return f"all, or some of {', '.join(self.known)}, or FILE.py:NAME"


@dataclass(frozen=True)
class Weights:
    """How often each of several things happens, relative to the others: ``"text=20,page=5"``, or a mapping.

    A converted value is such a text, in the order of the known names. `weights_of` reads it.

    Attributes:
        known: the names.
    """

    known: Collection[str]
    several = False
    choices: Collection[str] = ()

    def convert(self, name: str, value: Any) -> str:
        """The weights as a text."""
        pairs = [*value.items()] if isinstance(value, Mapping) else self._pairs(name, value)
        one = Number(0, most=_HEAVIEST)
        found: dict[str, float] = {}
        for word, given in pairs:
            if word not in self.known:
                raise BadParameterError(f"unknown {word!r} in {name}; there are: {', '.join(self.known)}")
            if word in found:
                raise BadParameterError(f"{name} names {word} twice")
            found[word] = one.convert(f"the weight of {word} in {name}", given)
            if not found[word]:
                raise BadParameterError(f"the weight of {word} in {name} is 0; leave {word} out, or raise it")
        if not found:
            raise BadParameterError(f"{name} is empty; name at least one of {', '.join(self.known)}")
        return ",".join(f"{word}={found[word]:.12g}" for word in self.known if word in found)

    def _pairs(self, name: str, value: Any) -> list[tuple[str, object]]:
        if not isinstance(value, str):
            raise BadParameterError(f"{name} is {value!r}; it must be {self.bounds}")
        words = [word.strip().partition("=") for word in value.split(",") if word.strip()]
        return [(word.strip(), _number(float, given) if is_said else 1.0) for word, is_said, given in words]

    def parse(self, text: str) -> str:
        """The text."""
        return text

    @property
    def bounds(self) -> str:
        """The allowed values, in words."""
        return f"some of {', '.join(self.known)}, each as NAME=WEIGHT with a weight above 0"


def weights_of(text: str) -> dict[str, float]:
    """The weights of a converted value of `Weights`, by name."""
    return {word: float(weight) for word, _, weight in (each.partition("=") for each in text.split(","))}


@dataclass(frozen=True)
class When:
    """When a parameter does something: with some values of another one.

    Attributes:
        decisive: the name of the other one.
        holds: whether it does something with this value of the other one; it may have several.
        words: the same in words, such as ``with direct``.
        column: the column of a result's rows that has one of the other one's values, if there is one.
    """

    decisive: str
    holds: Callable[[Any], bool]
    words: str
    column: str = ""

    def somewhere(self, experiment: object) -> bool:
        """Whether it does something in an experiment at all."""
        return any(map(self.holds, self._values(experiment)))

    def always(self, experiment: object) -> bool:
        """Whether it does something with all values of the other one."""
        return all(map(self.holds, self._values(experiment)))

    def rows(self, experiment: object) -> dict[str, list[object]]:
        """Where it does something: the column, with its values there. Nothing if it does nothing anywhere."""
        values = [_plain(each) for each in self._values(experiment) if self.holds(each)]
        return {self.column: values} if self.column and values else {}

    def _values(self, experiment: object) -> tuple[Any, ...]:
        value = getattr(experiment, self.decisive)
        return value if isinstance(value, tuple) else (value,)


@dataclass(frozen=True)
class Parameter:
    """A declared parameter.

    Attributes:
        name: the name of the field.
        domain: the values that it can have.
        default: its default.
        help: its purpose and its unit; a clause that begins with a small letter.
        when: when it does something; None is always.
        annotation: its type, as text.
    """

    name: str
    domain: Domain
    default: Any
    help: str
    when: When | None = None
    annotation: str = ""

    def applies(self, experiment: object) -> bool:
        """Whether it does something in an experiment."""
        return self.when is None or self.when.somewhere(experiment)

    def convert(self, value: Any) -> Any:
        """A value, converted for the experiment. Raises `BadParameterError`."""
        return None if value is None and self.default is None else self.domain.convert(self.name, value)


def parameter(default: Any, domain: Domain, help_: str, when: When | None = None) -> Any:
    """Declare a parameter as the default of a dataclass's field. If the default is None, None is allowed as a value.

    Args:
        default: its default.
        domain: the values that it can have.
        help_: its purpose and its unit.
        when: when it does something; with another value than its default it is refused otherwise.
    """
    return field(default=default, metadata={"parameter": Parameter("", domain, default, help_, when)})


def parameters(experiment: object) -> Iterator[Parameter]:
    """The declared parameters of an experiment or its class: its own, in order, and then those that all have."""
    own_first = sorted(fields(experiment), key=lambda each: each.name in ("repeats", "seed"))  # type: ignore[arg-type]  # a dataclass
    for each in own_first:
        if declared := each.metadata.get("parameter"):
            yield replace(declared, name=each.name, annotation=str(each.type))


def units(experiment: object) -> dict[str, str]:
    """The parameters of an experiment or its class that have a unit, with what stands for it in a column's name."""
    domains = {each.name: each.domain for each in parameters(experiment)}
    return {name: _UNITS[domain.unit] for name, domain in domains.items() if isinstance(domain, Number) and domain.unit}


def convert(experiment: object) -> None:
    """Convert every parameter of a new experiment in its place. Raises `BadParameterError`."""
    for each in parameters(experiment):
        object.__setattr__(experiment, each.name, each.convert(getattr(experiment, each.name)))


def refuse_idle(experiment: object) -> None:
    """Raise `BadParameterError` for a parameter that has another value than its default, and does nothing."""
    for each in parameters(experiment):
        value = getattr(experiment, each.name)
        if each.when and not each.when.somewhere(experiment) and value != each.convert(each.default):
            raise BadParameterError(f"{each.name} is {_plain(value)}, which does nothing here: only {each.when.words}")


def plain(experiment: object) -> dict[str, object]:
    """The parameters as values for JSON and TOML; objects become their names."""
    return {each.name: _plain(getattr(experiment, each.name)) for each in parameters(experiment)}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return getattr(value, "name", value)


def _number(make: Callable[[str], object], text: str) -> object:
    try:
        return make(text)
    except ValueError:
        return text


def _sequence(name: str, value: Any) -> list[Any]:
    try:
        return list(value)
    except TypeError:
        raise BadParameterError(f"{name} is {value!r}; it must be one value or several") from None


def _some(name: str, values: Iterable[Any]) -> tuple[Any, ...]:
    found = tuple(dict.fromkeys(values))
    if not found:
        raise BadParameterError(f"{name} is empty; name at least one")
    return found
