"""What is wrong with a corpus, in words that say what to do."""

from __future__ import annotations


class CorpusError(Exception):
    """The folder, file or line cannot be used as it is; the message names it and says what to change."""
