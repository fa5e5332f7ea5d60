"""A command for an experiment: its options are the experiment's parameters, and where it runs."""

from __future__ import annotations

import inspect
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatsim.cli import reports
from chatsim.cli.bounded_log import few_warnings
from chatsim.cli.common import FAILED, UNSAFE, one_sentence, our_errors, quiet_option, server_options, shows_progress
from chatsim.cli.interruption import INTERRUPTED
from chatsim.experiments.gate import gate
from chatsim.experiments.parameters import Flag, Parameter, Weights, Whole, parameters
from chatsim.experiments.runner import admit, place, run_here
from chatsim.experiments.saved import check_folder
from chatsim.experiments.surroundings import without_passwords
from chatsim.worlds.choice import WORLDS
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import BadParameterError

if TYPE_CHECKING:
    from chatsim.db.deadlock import Deadlock
    from chatsim.experiments.base import Experiment
    from chatsim.experiments.checks import Verdict
    from chatsim.experiments.result import Result

__all__ = ["command", "world_option", "world_settings"]

_EXIT = (
    "Exit status: 0; 1 when {unsafe} is not safe or not tested; 2 when it could not be run; 130 after Ctrl-C, 143 after"
    " SIGTERM."
)


def command(experiment: type[Experiment]) -> click.Command:
    """The command of an experiment."""
    declared = list(parameters(experiment))

    def run(
        out: Path | None,
        junit: Path | None,
        markdown: Path | None,
        *,
        as_json: bool,
        wide: bool,
        quiet: bool,
        must_pass: str | None = None,
        explain: bool = False,
        **options: Any,
    ) -> None:
        with one_sentence():
            where = world_settings(options)
            chosen = experiment(**{each.name: _value(each, options.pop(each.name)) for each in declared})
            where = place(chosen, where)
            musts = _musts(chosen, must_pass)
            result = chosen.result(where.name)
            result.environment["command"] = without_passwords(shlex.join(["chatsim", *sys.argv[1:]]))
            if out is not None:
                check_folder(out, chosen.name)
            _make(out)
            _touch({"--junit": junit, "--markdown": markdown})
        status, sentence = _run(chosen, where, result, quiet=quiet)
        judgement = gate(chosen, result, musts)
        for path, text in ((junit, reports.junit(result, judgement)), (markdown, reports.markdown(result, judgement))):
            if path is not None:
                path.write_bytes(text)
        _report(result, out=out, as_json=as_json, explain=explain, wide=wide, quiet=quiet)
        if status:
            click.echo(sentence, err=True)
            sys.exit(status)
        if sentences := judgement.sentences():
            click.echo("\n".join(sentences), err=True)
            sys.exit(UNSAFE)

    status = _EXIT.format(unsafe="something of --must-pass" if experiment.judged else "something")
    help_ = f"{inspect.cleandoc(experiment.__doc__ or '')}\n\n{status}"
    made: Callable[..., Any] = world_options(run)
    if experiment.judged:
        column, _ = experiment.judged
        made = click.option(
            "--must-pass",
            help=f"Names, separated by commas: exit status 1 unless each {column} has been tested, and is safe.",
        )(made)
    if experiment.explained:
        made = click.option("--explain", is_flag=True, help=experiment.explained)(made)
    for each in reversed(declared):
        made = _option(each)(made)
    return click.command(experiment.name, help=help_)(made)


# --- options


class _Words(click.ParamType[Any]):
    """The type of a parameter on the command line. The experiment itself refuses invalid values."""

    def __init__(self, declared: Parameter) -> None:
        self._declared = declared
        domain = declared.domain
        self.name = "NAMES" if domain.choices and domain.several else "NAME" if domain.choices else "N"
        if isinstance(domain, Weights):
            self.name = "WEIGHTS"
        elif not domain.choices and not isinstance(domain, Whole):
            self.name = "NUMBERS" if domain.several else "NUMBER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        return self._declared.domain.parse(value) if isinstance(value, str) else value


def _option(declared: Parameter) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    flag = f"--{declared.name.replace('_', '-')}"
    text = declared.help[0].upper() + declared.help[1:]
    if isinstance(declared.domain, Flag):
        return click.option(flag, declared.name, is_flag=True, help=f"{text}.")
    default = declared.default
    if default is not None:
        default = str(default) if not declared.domain.several else [_joined(default)]
    return click.option(
        flag,
        declared.name,
        type=_Words(declared),
        multiple=declared.domain.several,
        default=default,
        show_default=declared.default is not None,
        help=f"{text}; {declared.domain.bounds}.",
    )


def _joined(default: object) -> str:
    """One value or several, as they are typed."""
    return ",".join(map(str, default)) if isinstance(default, list | tuple) else str(default)


def _value(declared: Parameter, given: Any) -> Any:
    """The value of an option for the experiment, from one or several occurrences."""
    if not declared.domain.several:
        return given
    return ",".join(given) if declared.domain.choices else [number for numbers in given for number in numbers]


world_option = click.option(
    "--world",
    type=click.Choice(WORLDS),
    default=WORLDS[0],
    show_default=True,
    help="Where it runs: on a real server, or in the model of many machines in virtual time.",
)

_FILE = click.Path(dir_okay=False, path_type=Path)

_WORLD_OPTIONS = (
    click.option("--json", "as_json", is_flag=True, help="One JSON object per row, a line each."),
    quiet_option,
    click.option("--wide", is_flag=True, help="Print all columns, also those that the terminal has no room for."),
    click.option("--markdown", type=_FILE, help="Write a summary for a pipeline into this file, in Markdown."),
    click.option("--junit", type=_FILE, help="Write a report into this file, as JUnit does: a test case for each row."),
    click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Save the result into this folder."),
    click.option("--check-determinism", is_flag=True, help="Run twice in the model; fail where the runs differ."),
    click.option(
        "--costs",
        type=click.Path(dir_okay=False, path_type=Path),
        help="What things cost in the model: a TOML file with the keys that `chatsim costs` prints.",
    ),
    world_option,
)


def world_options(run: Callable[..., Any]) -> Callable[..., Any]:
    """The options for the world of an experiment, and for its result."""
    run = server_options(run)
    for option in _WORLD_OPTIONS:
        run = option(run)
    return run


def world_settings(options: dict[str, Any]) -> Servers | Model:
    """Take the world's options out of a command's. Raises `BadParameterError` for those of the other world."""
    name = options.pop("world")
    model = Model(options.pop("costs", None), options.pop("check_determinism", False))
    servers = Servers(**{field: options.pop(field) for field in Servers.__dataclass_fields__ if field in options})
    if name == "mysql":
        if model != Model():
            raise BadParameterError("--costs and --check-determinism belong to the model: --world model")
        return servers
    if servers != Servers():
        raise BadParameterError("which server to use is said for --world mysql; the model has none")
    return model


def _musts(experiment: Experiment, must_pass: str | None) -> set[str]:
    if must_pass is None or not experiment.judged:
        return set()
    _, parameter = experiment.judged
    musts = {name.strip().rpartition(":")[2] for name in must_pass.split(",") if name.strip()}
    if not musts:  # as from a variable that is not set
        raise BadParameterError(f"--must-pass is empty; it must name at least one of --{parameter}")
    named = experiment.config()[parameter]
    assert isinstance(named, list)
    if absent := sorted(musts - {*named}):
        raise BadParameterError(f"--must-pass names {', '.join(absent)}, which --{parameter} leaves out")
    return musts


def _make(out: Path | None) -> None:
    """Make the folder for a result before the run, so that none is lost to a wrong name."""
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadParameterError(f"--out {out} can't be made: {error.strerror}") from error


def _touch(files: Mapping[str, Path | None]) -> None:
    """Write the files of reports before the run, empty, so that none is lost to a wrong name."""
    for option, path in files.items():
        if path is not None:
            try:
                path.write_bytes(b"")
            except OSError as error:
                raise BadParameterError(f"{option} {path} can't be written: {error.strerror}") from error


# --- the run


def _run(experiment: Experiment, where: Servers | Model, result: Result, *, quiet: bool) -> tuple[int, str]:
    """The exit status, and the sentence that goes with one that is not 0."""
    try:
        for announcement in (admit(experiment, where.name), where.announcement()):
            if announcement and not quiet:
                click.echo(announcement, err=True)
        with few_warnings():
            run_here(experiment, where, result, progress=shows_progress(quiet=quiet))
    except KeyboardInterrupt:
        finished = "what had finished is above" if result.variants else "nothing had finished"
        return INTERRUPTED, f"Interrupted; {finished}."
    except our_errors() as error:
        return FAILED, f"Error: {error}"
    return 0, ""


# --- what is printed


def _report(result: Result, *, out: Path | None, as_json: bool, explain: bool, wide: bool, quiet: bool) -> None:
    if out is not None and result.variants:
        home = result.save(out)
        if not quiet:
            click.echo(f"saved in {home}", err=True)
    for warning in result.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if as_json:
        for row in result.rows():
            click.echo(json.dumps(row))
    elif result.variants:
        _show(result, wide=wide)
    if explain:
        for name, text in result.notes.items():
            click.echo(f"\n{name.replace('-', ': ', 1).replace('-', ', ')}\n{text}", err=as_json)


def _show(result: Result, *, wide: bool) -> None:
    from chatsim.cli.result_tables import print_lock_table, print_result_table
    from chatsim.cli.tables import console

    print_result_table(result, wide=wide)
    out = console()
    shown: list[Deadlock] = []
    for each in result.variants:
        if each.deadlock in shown:
            continue
        if each.deadlock is not None and each.deadlock is result.deadlock(str(next(iter(each.key.values())))):
            shown.append(each.deadlock)
            out.print(f"\n[bold]A deadlock of {each.name}[/bold]")
            out.print(each.deadlock.explain(), highlight=False, markup=False)
            print_lock_table(each.deadlock, wide=wide)
        elif each.deadlock is None and each.measures.get("deadlocks_per_op"):
            out.print(
                f"\n{each.name} had deadlocks, but the server shows none of them: its user needs the privilege PROCESS,"
                " and on a shared server the latest deadlock may be somebody else's."
            )
    explained: list[Verdict] = []
    for each in result.variants:
        if each.verdict is not None and each.verdict.anomalies and each.verdict not in explained:
            explained.append(each.verdict)
            out.print(f"\n[bold]Why {each.name} is unsafe[/bold]")
            out.print(reports.proof(each.verdict), highlight=False, markup=False)
