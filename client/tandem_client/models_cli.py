"""`tandem models`: recognisers and the turn model, what there is, and fetching it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tandem_client.options import DataDir

models = typer.Typer(no_args_is_help=True, help="Recognisers and the turn model: what there is, and fetching it.")


@models.command("list")
def list_models(data_dir: DataDir = None) -> None:
    """List the models that can be fetched, and which are here."""
    from rich.console import Console
    from rich.table import Table

    from tandem_server.engines.turn_models import FILE, FOLDER, MEGABYTES, NAME
    from tandem_server.engines.vosk_models import DEFAULT, MODELS

    table = Table(box=None, pad_edge=False)
    for heading in ("model", "language", "MB", "here"):
        table.add_column(heading, justify="right" if heading == "MB" else "left", no_wrap=True)
    folder = _models_dir(data_dir)
    here = "yes" if (folder / FOLDER / FILE).is_file() else ""
    table.add_row(NAME, "any: hears ends of turns", str(MEGABYTES), here)
    for name, model in MODELS.items():
        here = "yes" if (folder / name).is_dir() else ""
        label = f"{model.language} (default)" if name == DEFAULT else model.language
        table.add_row(name, label, str(model.megabytes), here)
    Console().print(table)


@models.command("fetch")
def fetch_model(
    name: Annotated[str, typer.Argument(help="One of `tandem models list`.")], data_dir: DataDir = None
) -> None:
    """Fetch a model; a recogniser's download that broke off goes on where it stopped.

    \b
    [bold]Examples[/bold]
    tandem models fetch vosk-model-small-en-us-0.15
    tandem models fetch smart-turn
    """
    from tandem_client.download import DownloadBar
    from tandem_server.engines.turn_models import NAME
    from tandem_server.model_fetch import fetch
    from tandem_server.turn_model_fetch import fetch_turn_model

    folder = _models_dir(data_dir)
    with DownloadBar(name) as bar:
        if name == NAME:
            target = fetch_turn_model(folder, progress=bar.progress)
        else:
            target = fetch(name, folder, progress=bar.progress)
    typer.echo(f"{name} is in {target}")


def _models_dir(data_dir: Path | None) -> Path:
    from tandem_server.config import load

    # As the server will look for them; where it would want a token is none of our business here.
    return load({"host": "127.0.0.1", "hosts": [], **({"data_dir": data_dir} if data_dir else {})}).models_dir
