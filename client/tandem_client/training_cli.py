"""`tandem train`: the models that Tandem runs on, one command each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tandem_client.options import INTERRUPTED

training = typer.Typer(no_args_is_help=True, help="Train what Tandem runs on.")


@training.command("voice")
def train_voice(
    folder: Annotated[Path, typer.Argument(help="Where all of it goes; give it again to go on.")],
    corpus: Annotated[
        Path | None, typer.Option(help="Folder of a voice corpus; else one is built from the teacher or --recordings.")
    ] = None,
    recordings: Annotated[
        Path | None, typer.Option(help="Your own recordings: metadata.csv and wavs/, in the layout of LJSpeech.")
    ] = None,
    model: Annotated[str, typer.Option(help="Acoustic model: fastpros, nat or tacotron.")] = "fastpros",
    sentences: Annotated[int | None, typer.Option(help="Of a corpus that is built.", min=1)] = None,
    steps: Annotated[int | None, typer.Option(help="Of training, of either network.", min=1)] = None,
) -> None:
    """Train a voice: build the corpus, train acoustic model and vocoder, evaluate and export them.

    It takes hours; Ctrl-C saves, and the same command goes on. The voice is in FOLDER/voice, with its cards.

    \b
    [bold]Examples[/bold]
    tandem train voice my-voice
    tandem train voice my-voice --recordings LJSpeech-1.1 --steps 20000
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from tandem_training.pipeline import PipelineError, make_voice, stages

    asked = {"recordings": str(recordings) if recordings else None, "sentences": sentences}
    columns = (TextColumn("{task.fields[stage]}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns) as bar:
        task = bar.add_task("", total=1.0, stage="")
        try:
            wanted = stages(folder, corpus, model, steps, {key: value for key, value in asked.items() if value})
            voice = make_voice(
                folder,
                wanted,
                lambda stage, share, word: bar.update(task, completed=share, description=word, stage=stage),
            )
        except PipelineError as error:
            bar.stop()
            typer.echo(f"tandem: {error}", err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
    typer.echo(f"The voice is in {voice}")
