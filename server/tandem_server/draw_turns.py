"""`python -m tandem_server.draw_turns`: TURN.md, drawn from the two tables."""

from __future__ import annotations

import sys

from tandem_server import reply, turn

PAGE = """\
# Who speaks when

Two small machines decide it: the user's turn (`tandem_server/turn.py`) and the agent's reply
(`tandem_server/reply.py`). Each is a table in its file, and nothing else decides. This page is drawn from the tables
by `python -m tandem_server.draw_turns > server/TURN.md`; a test fails when they differ.

## The user's turn

Time is samples heard: a `Frame` comes with every 32 ms of audio and carries the speech probability of the voice
activity detector, which hears the microphone without the agent's own voice. A turn opens (`long_enough`) after 64 ms
of voice, and while the agent speaks after 128 ms of sound, of which the first 64 may be a consonant in which the
detector hears no voice. A pause is settled early: recogniser and prosody finish what was said so far, so that when the
silence has lasted long enough (`patience_spent`) nothing is left to wait for. How long that is, `stages/endpoint.py`
decides from the words and the voice before the pause, and from the speaker's earlier pauses.

```mermaid
{turn}```

## The agent's reply

At most one reply is live. In a pause that may be the end it is drafted: thought of, and its first phrase spoken, so
that it is ready when the turn is over; when the user goes on, nobody will have heard of it. `Finishing` lasts until its
turn is safely recorded; only then is it reported as done.

```mermaid
{reply}```
"""


def main() -> None:
    """Write the page to standard output."""
    sys.stdout.write(PAGE.format(turn=turn.diagram(), reply=reply.diagram()))


if __name__ == "__main__":
    main()
