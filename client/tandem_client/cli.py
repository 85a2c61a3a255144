"""The `tandem` command. Thin: subcommands hand their options on, and heavy imports wait for their command."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tandem_client.corpus_cli import corpus
from tandem_client.eval_cli import evaluate
from tandem_client.models_cli import models
from tandem_client.options import INTERRUPTED, DataDir, Token
from tandem_client.training_cli import training
from tandem_client.voice_cli import voice
from tandem_server.errors import ConfigurationError, TandemError

if TYPE_CHECKING:
    from tandem_client.desktop import Talk

USAGE: Final = 2
"""Exit code of what the person can put right: a setting, a file, an option (as in every shell tool)."""

app = typer.Typer(
    name="tandem",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Tandem: a spoken dialogue server whose voice moves towards the way you speak.",
    epilog="Start with: tandem serve, then tandem talk in a second terminal.",
)
app.add_typer(models, name="models")
app.add_typer(voice, name="voice")
app.add_typer(corpus, name="corpus")
app.add_typer(training, name="train")
app.add_typer(evaluate, name="eval")


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tandem {version('tandem-dialogue')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What stands before every subcommand."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(envvar="TANDEM_HOST", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(envvar="TANDEM_PORT", help="Port to listen on.")] = None,
    data_dir: DataDir = None,
    asr: Annotated[
        str | None,
        typer.Option(
            envvar="TANDEM_ASR",
            help="Recogniser: auto (the small English Vosk model once it is fetched, else PocketSphinx), pocketsphinx, "
            "vosk:NAME of a fetched model, vosk:FOLDER.",
        ),
    ] = None,
    voice: Annotated[
        str | None,
        typer.Option(
            envvar="TANDEM_VOICE",
            help="Voice: tandem, tandem:NAME (see tandem voice list), tandem:FOLDER, espeak, "
            "or espeak:VOICE with en-us+f5, en-us+f2, en-us or en-us+m3.",
        ),
    ] = None,
    response: Annotated[
        str | None, typer.Option(envvar="TANDEM_RESPONSE", help="What answers: listener, openai:MODEL@URL, fake.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            envvar="TANDEM_STRATEGY",
            help="How a session's voice entrains at first: match, rule, neural, anti, yoked, neutral.",
        ),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(envvar="TANDEM_STRENGTH", help="And how far: 0 is neutral, 1 is all the way, at most 1.5."),
    ] = None,
    token: Token = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(envvar="TANDEM_TLS_CERTIFICATE", help="PEM file; with it the server is at https:// and wss://."),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(envvar="TANDEM_TLS_KEY", help="PEM file with the certificate's private key.")
    ] = None,
) -> None:
    """Run the server.

    An option that is left out is read from the environment (TANDEM_HOST and so on), else the server's default holds.

    \b
    [bold]Examples[/bold]
    tandem serve
    tandem serve --port 9000 --asr vosk:vosk-model-small-en-us-0.15
    TANDEM_TOKEN=secret tandem serve --host 0.0.0.0
    tandem serve --tls-certificate certificate.pem --tls-key key.pem
    """
    from tandem_client.download import DownloadBar
    from tandem_server.app import serve as run_server
    from tandem_server.engines.vosk_models import DEFAULT

    given: dict[str, object] = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "asr": asr,
        "voice": voice,
        "response": response,
        "strategy": strategy,
        "strength": strength,
        "token": token,
        "tls_certificate": tls_certificate,
        "tls_key": tls_key,
    }
    overrides = {name: value for name, value in given.items() if value is not None}
    with DownloadBar(DEFAULT) as bar:

        def say(text: str) -> None:
            bar.stop()  # whatever is said comes before the download or after it
            typer.echo(text)

        page = Path(__file__).with_name("web")
        raise typer.Exit(run_server(overrides, page=page, say=say, progress=bar.progress))


@app.command()
def talk(
    url: Annotated[
        str, typer.Option(envvar="TANDEM_URL", show_envvar=True, help="The server's WebSocket.")
    ] = "ws://127.0.0.1:8000/v1/realtime",
    token: Token = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="How it entrains: neutral, match, rule, neural, anti, yoked. Default: the server's."),
    ] = None,
    strength: Annotated[
        float | None, typer.Option(help="How far: 0 is neutral, 1 the whole way, at most 1.5. Default: the server's.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Your name: the server remembers how you speak from one talk to the next.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Speak this file instead of the microphone (any format, rate, channels).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a stereo WAV: left what was sent, right the agent, on one clock.")
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Send the file as quickly as the server takes it; for a single utterance.")
    ] = False,
    text: Annotated[list[str] | None, typer.Option(help="Type a turn instead of speaking it; may be repeated.")] = None,
    events: Annotated[
        Path | None, typer.Option(help="Write every event of the server with its time as JSON lines.")
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds without any news after which to give up.", min=0.1)] = 30.0,
    microphone: Annotated[str | None, typer.Option(help="Number or part of the name; see tandem devices.")] = None,
    loudspeaker: Annotated[str | None, typer.Option(help="Number or part of the name; see tandem devices.")] = None,
) -> None:
    """Talk with the agent: by microphone, from a file, or by typing.

    \b
    [bold]Examples[/bold]
    tandem talk
    tandem talk --strategy match --strength 0.8 --user ada
    tandem talk --file question.wav --out conversation.wav --events events.jsonl
    tandem talk --text "hello there" --out reply.wav

    \b
    [bold]Exit codes[/bold]
    0 answered              5 the connection was lost
    2 options or files      6 no answer in time
    3 server unreachable    7 the server failed to answer
    4 token refused         8 settings refused
    """
    from tandem_client.desktop import Talk

    _talk(
        Talk(
            url=url,
            token=token,
            strategy=strategy,
            strength=strength,
            user=user,
            file=file,
            texts=tuple(text or ()),
            fast=fast,
            out=out,
            events=events,
            patience=wait,
            microphone=microphone,
            loudspeaker=loudspeaker,
        )
    )


def _talk(wanted: Talk) -> None:
    import asyncio

    from rich.console import Console

    from tandem_client.desktop import talk as hold

    try:
        asyncio.run(hold(wanted, Console()))
    except KeyboardInterrupt:
        # By microphone it is the way to leave; a file that was cut off was not answered.
        raise typer.Exit(0 if wanted.live else INTERRUPTED) from None


@app.command()
def report(
    conversation: Annotated[str | None, typer.Argument(help="Id of a recorded conversation.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are recorded, by strategy.")] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="A file that ends in .html, .json or .csv.")] = Path(
        "report.html"
    ),
    table: Annotated[str, typer.Option(help="Rows of a .csv file: tests, or turns.")] = "tests",
    data_dir: DataDir = None,
) -> None:
    """Say what recorded conversations show of entrainment: measures against surrogates, trajectories, who moved.

    \b
    [bold]Examples[/bold]
    tandem report sess_0f3a... -o report.html
    tandem report --all -o all.html
    tandem report --all -o turns.csv --table turns
    """
    if every == (conversation is not None):
        raise ConfigurationError("name one conversation (GET /v1/conversations lists them), or say --all")
    if table not in ("tests", "turns"):
        raise ConfigurationError(f"--table is tests or turns, not {table!r}")
    from tandem_client.reporting import write_report

    typer.echo(write_report(conversation, out, "turns" if table == "turns" else "tests", data_dir))


@app.command()
def devices() -> None:
    """List microphones and loudspeakers."""
    from rich.console import Console
    from rich.table import Table

    from tandem_client.device import devices as find

    table = Table(box=None, pad_edge=False)
    for heading in ("number", "name", "inputs", "outputs", "rate (Hz)", "default"):
        table.add_column(heading, justify="left" if heading in ("name", "default") else "right")
    for one in find():
        default = " and ".join(sorted(one.default))
        table.add_row(str(one.index), one.name, str(one.inputs), str(one.outputs), f"{one.rate:.0f}", default)
    Console().print(table)


def main() -> int:
    """The entry point: what a person can put right is one line, without a traceback (unless TANDEM_DEBUG=1)."""
    try:
        app()
    except TandemError as error:
        if os.environ.get("TANDEM_DEBUG") == "1":
            raise
        typer.echo(f"tandem: {error}", err=True)
        # CannotTalk knows its code; its module is not imported here because the command line must start quickly.
        return int(getattr(error, "exit_code", USAGE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
