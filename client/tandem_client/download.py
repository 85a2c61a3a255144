"""The progress bar of a download: how much, how fast, how long still, and whether it goes on from an earlier one."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


class DownloadBar:
    """A context manager; `progress` takes the bytes so far, and in all where that is known."""

    def __init__(self, name: str, console: Console | None = None) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
        )
        self._task = self._bar.add_task(name, start=False, total=None)
        self._started = False

    def progress(self, done: int, total: int | None) -> None:
        """So many bytes have come."""
        if not self._started:
            self._started = True
            self._bar.start()  # not before: a name that does not exist has no bar
            self._bar.start_task(self._task)
            if done:
                self._bar.console.print(f"Going on where the last download stopped: {done / 1e6:.1f} MB are here.")
        self._bar.update(self._task, completed=done, total=total)

    def stop(self) -> None:
        """It is over, if it ever began."""
        if self._bar.live.is_started:  # else a log would get an empty line
            self._bar.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
