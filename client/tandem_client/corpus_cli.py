"""`tandem corpus`: dialogues from wherever they are into one manifest with features, and what is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tandem_server.errors import ConfigurationError
from tandem_training.corpus.registry import IMPORTERS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FLAWED: Final = 1
"""Exit code of work that was done, though not all of it could be: what could not is listed."""
_SHOWN: Final = 40
"""Lines of a list of problems"""

corpus = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Recorded dialogues: importing them, measuring their prosody, checking what came of it.",
)
Folder = Annotated[Path, typer.Argument(help="The corpus: a folder with corpus.json and manifest.jsonl.")]
Progress = Callable[[int, int, str], None]


def _importers() -> str:
    return "\n\n".join(f"[bold]{name}[/bold]: {one.summary}. {one.layout}" for name, one in IMPORTERS.items())


@corpus.command("import", epilog=_importers())
def import_(
    importer: Annotated[str, typer.Argument(help="What kind of corpus it is: a name from the list below.")],
    source: Annotated[Path, typer.Argument(help="Where it lies.")],
    folder: Folder,
    name: Annotated[str | None, typer.Option(help="What to call it in the manifest. Default: the importer's.")] = None,
    audio: Annotated[Path | None, typer.Option(help="Where its recordings are, if not in SOURCE.")] = None,
    lang: Annotated[str | None, typer.Option(help="Language, as en or es, where the corpus does not say.")] = None,
    license_: Annotated[str | None, typer.Option("--license", help="What its use is bound to.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of text files that are not UTF-8, as latin-1.")] = None,
    local_speakers: Annotated[
        bool | None,
        typer.Option(
            "--local-speakers/--global-speakers",
            help="Whether the same name is somebody else in every dialogue (A and B), or the same person.",
        ),
    ] = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="TextGrids are a file for each speaker, ID-SPEAKER.TextGrid.")
    ] = False,
) -> None:
    """Add a corpus to the manifest, in place of what was imported before under its name.

    Recordings stay where they are. A dialogue that cannot be read is listed, and stops no other.

    \b
    [bold]Examples[/bold]
    tandem corpus import textgrid recordings/ corpus/ --lang en
    tandem corpus import textgrid aligned/ corpus/ --paired --audio recordings/
    tandem corpus import switchboard LDC97S62/ corpus/
    tandem corpus import tandem ~/.local/share/tandem/ corpus/

    \b
    [bold]Exit codes[/bold]
    0 imported   1 imported, except for what is listed   2 options or files
    """
    from tandem_training.corpus.dialogue import Options
    from tandem_training.corpus.importing import import_corpus

    chosen = Options(audio, lang, license_, encoding, local_speakers, paired)
    with _said_plainly(), _bar("Reading") as progress:
        done = import_corpus(importer, source, folder, name=name, options=chosen, progress=progress)
    typer.echo(f"{done.dialogues} dialogues, {done.turns} turns, {done.speakers} speakers are in {folder}")
    if done.local_speakers and local_speakers is None:
        typer.echo("Every dialogue has speakers of its own; --global-speakers if the same name is the same person.")
    _list_failures([f"{where}: {why}" for where, why in done.failures], "dialogues could not be read")


@corpus.command()
def features(
    folder: Folder,
    jobs: Annotated[int | None, typer.Option(help="Processes. Default: one for each processor.", min=1)] = None,
) -> None:
    """Measure the prosody of every turn, with the extractor of the live server; what is measured is not done again.

    \b
    [bold]Exit codes[/bold]
    0 all is measured   1 all but what is listed   2 the corpus cannot be used   130 interrupted; run it again to go on
    """
    from tandem_training.corpus.extraction import extract, processors
    from tandem_training.corpus.folder import Corpus

    try:
        with _said_plainly(), _bar("Measuring") as progress:
            done = extract(Corpus.open(folder), jobs or processors(), progress)
    except KeyboardInterrupt:
        typer.echo("Interrupted; run it again to go on.", err=True)
        raise
    before = f", {done.kept} had been before" if done.kept else ""
    typer.echo(f"{done.dialogues} dialogues were measured{before}; {done.turns} turns have features")
    if done.nothing:
        typer.echo(f"{done.nothing} turns have neither audio nor word times: there is nothing to measure")
    _list_failures([f"{name}, turn {turn}: {why}" for name, turn, why in done.failures], "turns could not be measured")


@corpus.command()
def info(folder: Folder) -> None:
    """Show what is in a corpus, and which features have been measured."""
    from rich.console import Console

    from tandem_training.corpus.folder import Corpus
    from tandem_training.corpus.info import coverages, summaries

    console = Console()
    with _said_plainly():
        opened = Corpus.open(folder)
        rows = summaries(opened)
        measured = coverages(opened)
    columns = "source dialogues speakers components turns backchannels hours audio text words splits"
    table = _table(columns.split())
    for one in rows:
        shares = [f"{count / one.turns:.0%}" for count in (one.with_audio, one.with_text, one.with_words)]
        counts = [one.dialogues, one.speakers, one.components, one.turns, one.backchannels]
        hours = "-" if one.hours is None else f"{one.hours:.2f}"
        splits = " ".join(f"{name} {count}" for name, count in one.splits.items())
        table.add_row(one.name, *(str(count) for count in counts), hours, *shares, splits)
    console.print(table)
    turns = rows[-1].turns
    for coverage in measured:
        failed = f", {coverage.failed} failed" if coverage.failed else ""
        console.print(f"\n{coverage.version}: {coverage.turns} of {turns} turns{failed}", highlight=False)
        for feature, count in coverage.features.items():
            filled = "█" * round(30 * count / turns)
            console.print(f"  {feature:<16} {filled:<30} {count / turns:4.0%}", highlight=False)
    if not measured:
        console.print("\nNothing has been measured: tandem corpus features", highlight=False)


@corpus.command()
def validate(
    folder: Folder,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Open every recording as well.")] = True,
) -> None:
    """Check every rule of the manifest and the feature tables, and name the lines that break one.

    \b
    [bold]Exit codes[/bold]
    0 no errors (there may be warnings)   1 errors   2 it is no corpus
    """
    from tandem_training.corpus.folder import Corpus
    from tandem_training.corpus.validate import validate as check

    with _said_plainly(), _bar("Checking") as progress:
        problems = check(Corpus.open(folder), audio=audio, progress=progress)
    for problem in problems[:_SHOWN]:
        typer.echo(str(problem))
    if len(problems) > _SHOWN:
        typer.echo(f"... and {len(problems) - _SHOWN} more")
    errors = sum(problem.level == "error" for problem in problems)
    typer.echo(f"{errors} errors, {len(problems) - errors} warnings")
    raise typer.Exit(FLAWED if errors else 0)


@corpus.command()
def split(
    folder: Folder,
    seed: Annotated[int, typer.Option(help="The same seed splits the same corpus the same way.")] = 0,
    train: Annotated[float, typer.Option(help="Share of the turns.", min=0.01)] = 0.8,
    validation: Annotated[float, typer.Option(help="Share of the turns.", min=0.01)] = 0.1,
    test: Annotated[float, typer.Option(help="Share of the turns.", min=0.01)] = 0.1,
) -> None:
    """Write into the manifest which dialogues are for training, validation and test; no speaker is on two sides."""
    from tandem_training.corpus.folder import Corpus
    from tandem_training.corpus.splits import split_dialogues, write_splits

    shares = {"train": train, "validation": validation, "test": test}
    with _said_plainly():
        opened = Corpus.open(folder)
        found = split_dialogues(opened.turns(), seed, shares)
        write_splits(opened, found)
    typer.echo(", ".join(f"{name} {sum(one == name for one in found.values())} dialogues" for name in shares))


def _list_failures(lines: list[str], what: str) -> None:
    """Say what went wrong and leave with the code for it; nothing if all went well."""
    if not lines:
        return
    typer.echo(f"{len(lines)} {what}:", err=True)
    for line in lines[:_SHOWN]:
        typer.echo(f"  {line}", err=True)
    if len(lines) > _SHOWN:
        typer.echo(f"  ... and {len(lines) - _SHOWN} more", err=True)
    raise typer.Exit(FLAWED)


def _table(headings: list[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("source", "splits") else "right", no_wrap=True)
    return table


@contextmanager
def _bar(doing: str, console: Console | None = None) -> Iterator[Progress]:
    """A bar on the terminal's error stream; what it is handed says how much is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    shown = console or Console(stderr=True)
    columns = (
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Bar(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=name)


@contextmanager
def _said_plainly() -> Iterator[None]:
    """What is wrong with a corpus is for a person to put right: one line, exit code 2."""
    from tandem_training.corpus.errors import CorpusError

    try:
        yield
    except CorpusError as error:
        raise ConfigurationError(str(error)) from error
