"""The process side of PocketSphinx: `python -m tandem_server.engines.pocketsphinx_worker ROLE SETTINGS` (JSON).

As the nursery, its standard input is a socket: it loads the decoder once (.3 s, 96 MB), then forks one worker for
every socket it is handed; a worker is there in 10-35 ms and owns 23 MB. As a worker (no fork on this system), it
serves its standard input and output. Either way the end of its input is the end of it, so nothing outlives the
server, even after kill -9.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import signal
import socket
import sys
import traceback
from typing import TYPE_CHECKING, BinaryIO, Final

from tandem_server.engines import frames
from tandem_server.engines.frames import Frame

if TYPE_CHECKING:
    from pocketsphinx import Decoder

_FRAME_RATE: Final = 100
"""Frames a second."""
_ALTERNATIVE: Final = re.compile(r"\(\d+\)$")
_FILLERS: Final = ("<", "[", "+")
"""How words that are not words begin: <s>, <sil>, [NOISE], ++BREATH++."""


class Worker:
    """One caller's decoder, as answers to frames."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._open = False

    def serve(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Answer frames until the server hangs up. What the decoder raises ends the process: the server sees that."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while frame := frames.read(source):
                if answer := self._answer(frame):
                    sink.write(frames.encode(answer))
                    sink.flush()

    def _answer(self, frame: Frame) -> Frame | None:
        if frame.kind == frames.AUDIO:
            return Frame(frames.PARTIAL, frame.utterance, self._hear(frame.payload).encode())
        self._end()
        if frame.kind == frames.FINISH:
            return Frame(frames.FINAL, frame.utterance, json.dumps(self._words()).encode())
        return None

    def _hear(self, audio: bytes) -> str:
        if not self._open:
            self._decoder.start_utt()
            self._open = True
        self._decoder.process_raw(audio, no_search=False, full_utt=False)
        hypothesis = self._decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""

    def _end(self) -> None:
        if self._open:
            self._decoder.end_utt()
            self._open = False

    def _words(self) -> list[tuple[str, float, float]]:
        # No segments without a hypothesis: asking for them then raises.
        segments = self._decoder.seg() if self._decoder.hyp() else ()
        return [
            (
                _ALTERNATIVE.sub("", segment.word),
                segment.start_frame / _FRAME_RATE,
                (segment.end_frame + 1) / _FRAME_RATE,
            )
            for segment in segments
            if not segment.word.startswith(_FILLERS)
        ]


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's business; it will hang up
    from pocketsphinx import Decoder

    role, settings = sys.argv[1:]
    decoder = Decoder(loglevel="FATAL", **json.loads(settings))
    if role == frames.NURSERY:
        with contextlib.suppress(ConnectionError):
            _fork_on_demand(decoder, socket.socket(fileno=0))
    else:
        Worker(decoder).serve(sys.stdin.buffer, sys.stdout.buffer)


def _fork_on_demand(decoder: Decoder, control: socket.socket) -> None:
    children: set[int] = set()

    def reap(*_: object) -> None:
        for pid in tuple(children):
            with contextlib.suppress(ChildProcessError):  # this handler may interrupt itself
                if os.waitpid(pid, os.WNOHANG)[0]:
                    children.discard(pid)

    signal.signal(signal.SIGCHLD, reap)
    gc.freeze()  # a collection would write to every shared page, and so copy it
    control.sendall(frames.READY)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            break
        for descriptor in descriptors:
            children.add(_fork(decoder, control, descriptor))
            os.close(descriptor)
        reap()  # a worker that died before it was in the set
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _fork(decoder: Decoder, control: socket.socket, descriptor: int) -> int:
    if pid := os.fork():
        return pid
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        with socket.socket(fileno=descriptor) as link:
            Worker(decoder).serve(link.makefile("rb"), link.makefile("wb"))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
