"""`tandem talk`: a conversation by microphone, by file or by typing, over one connection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from rich.console import Console

from tandem_client.actions import Played, Wire
from tandem_client.device import Loudspeaker, Microphone, chosen, portaudio
from tandem_client.dialogue import Dialogue
from tandem_client.headless import Headless
from tandem_client.link import Clock, Link, Listener, MonotonicClock, Player
from tandem_client.recording import read_audio
from tandem_client.resuming import connected
from tandem_client.terminal import Terminal
from tandem_client.transport import Transport
from tandem_models.signal import Audio
from tandem_server.contract import TandemSettings
from tandem_server.errors import ConfigurationError

URL: Final = "ws://127.0.0.1:8000/v1/realtime"


@dataclass(frozen=True, slots=True)
class Talk:
    """What is asked of one conversation; with neither file nor texts it is by microphone."""

    url: str = URL
    token: str | None = None
    strategy: str | None = None
    """None leaves the server's own; so does None for strength and user."""
    strength: float | None = None
    user: str | None = None
    file: Path | None = None
    texts: Sequence[str] = ()
    fast: bool = False
    """Send the file as quickly as the server takes it."""
    out: Path | None = None
    events: Path | None = None
    patience: float = 30.0
    """Seconds without any news after which no answer is expected any more."""
    microphone: str | None = None
    loudspeaker: str | None = None

    @property
    def live(self) -> bool:
        """By microphone and loudspeaker?"""
        return self.file is None and not self.texts

    def check(self) -> None:
        """Raises ConfigurationError for options that do not go together."""
        if self.file and self.texts:
            raise ConfigurationError("choose one: --file sends audio, --text sends typed turns")
        if self.out and self.live:
            raise ConfigurationError("--out needs --file or --text; what is spoken by microphone the server records")
        if self.fast and not self.file:
            raise ConfigurationError("--fast needs --file")

    def session(self) -> Wire:
        """The session to ask for: only what was chosen. Raises ConfigurationError."""
        wanted = {"strategy": self.strategy, "strength": self.strength, "user_id": self.user}
        tandem = {name: value for name, value in wanted.items() if value is not None}
        try:
            TandemSettings.model_validate(tandem)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            option = str(first["loc"][0]).removesuffix("_id")
            raise ConfigurationError(f"--{option}: {first['msg']}") from None
        return {"type": "realtime", "tandem": {**tandem, "audio_frames": "binary"}}


@dataclass(frozen=True, slots=True)
class Scene:
    """What every kind of conversation needs."""

    options: Talk
    transport: Transport
    view: Terminal
    clock: Clock
    listeners: Sequence[Listener] = ()

    def join(self, player: Player, listeners: Sequence[Listener] = ()) -> Link:
        """The link to a loudspeaker."""
        dialogue = Dialogue(self.options.session())
        everyone = (*self.listeners, *listeners)
        return Link(self.transport, dialogue, player, self.view, clock=self.clock, listeners=everyone)


async def talk(options: Talk, console: Console, clock: Clock | None = None) -> None:
    """Holds the conversation; returns when it was answered. Raises CannotTalk or ConfigurationError."""
    clock = clock or MonotonicClock()
    options.check()
    options.session()  # what can be wrong here is said before anybody is called
    audio = read_audio(options.file) if options.file else None
    if options.live:
        portaudio()
    with ExitStack() as stack:
        listeners = [stack.enter_context(journal(options.events, clock))] if options.events else []
        view = stack.enter_context(Terminal(console))
        # A file that was half spoken cannot be gone on with in another conversation; a person can.
        async with connected(options.url, options.token, clock, anew=options.live) as transport:
            scene = Scene(options, transport, view, clock, listeners)
            await (talk_live(scene) if options.live else talk_headless(scene, audio))


async def talk_live(scene: Scene) -> None:
    """By microphone and loudspeaker, until cancelled. Raises CannotTalk or AudioUnusable."""
    loudspeaker = Loudspeaker(lambda total: link.handle(Played(total)), chosen(scene.options.loudspeaker))
    link = scene.join(loudspeaker)
    with loudspeaker, Microphone(chosen(scene.options.microphone)) as microphone:

        async def listen() -> None:
            scene.view.say("Speak when you like; Ctrl-C ends. With headphones the agent does not hear itself.")
            told = False
            while True:
                block = await microphone.read()
                if microphone.dropped and not told:
                    told = True
                    scene.view.say(
                        "The server, or the way to it, is too slow or was gone for too long: "
                        "some of what you said was lost."
                    )
                await link.send_audio(block)

        await link.run(listen)


async def talk_headless(scene: Scene, audio: Audio | None) -> None:
    """The audio (T,), or the typed turns; the recording is written however it ends."""
    options = scene.options
    # Typed turns have no clock: a reply is over when it has come.
    headless = Headless(scene.join, scene.clock, options.patience, fast=options.fast or audio is None)
    try:
        await headless.link.run(lambda: headless.type(options.texts) if audio is None else headless.speak(audio))
    finally:
        if options.out:
            headless.save(options.out)
            scene.view.say(f"wrote {options.out}: left what was sent, right the agent")


@contextmanager
def journal(path: Path, clock: Clock) -> Iterator[Listener]:
    """A listener that writes each server event with its time (s since now) as JSON. Raises ConfigurationError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error}") from None
    start = clock.now()

    def write(event: Wire) -> None:
        file.write(json.dumps({"at_s": round(clock.now() - start, 4), "event": event}, ensure_ascii=False) + "\n")

    with file:
        yield write
