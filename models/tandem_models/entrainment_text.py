"""The words about to be spoken, as a vector: they say more about how a turn will sound than the partner does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

_TOKEN: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
UNKNOWN: Final = 0
"""Index of padding and of words outside the vocabulary: they have no vector, but count as words."""


def tokens(text: str) -> list[str]:
    """The words in lower case, without punctuation."""
    return [token.lower().replace("’", "'") for token in _TOKEN.findall(text)]


def indices(texts: Sequence[Sequence[str]], vocabulary: Mapping[str, int]) -> tuple[Tensor, Tensor]:
    """(words (B, W) int64, length (B,) float); W is the longest text's, and an empty text counts as one word."""
    width = max(1, *(len(text) for text in texts)) if texts else 1
    words = torch.full((len(texts), width), UNKNOWN, dtype=torch.int64)
    for row, text in enumerate(texts):
        for column, word in enumerate(text):
            words[row, column] = vocabulary.get(word, UNKNOWN)
    return words, torch.tensor([float(max(1, len(text))) for text in texts])


def numbered(vocabulary: Iterable[str]) -> dict[str, int]:
    """Word -> index, from 1."""
    return {word: index for index, word in enumerate(vocabulary, 1)}


def read_vectors(path: Path, vocabulary: Sequence[str], size: int) -> Tensor:
    """(V + 1, size) from a GloVe text file (a word and its numbers a line); words it lacks, and UNKNOWN, are zero.

    Raises ValueError with the line's number for one of another size.
    """
    table = torch.zeros(len(vocabulary) + 1, size)
    wanted = numbered(vocabulary)
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            word, *numbers = line.rstrip().split(" ")
            if len(numbers) != size:
                raise ValueError(f"{path}, line {number}: {len(numbers)} numbers, not {size}; give the file's own size")
            if word in wanted:
                table[wanted[word]] = torch.tensor([float(one) for one in numbers])
    return table


class Bag(nn.Module):
    """Words without their order: their vectors' mean, and their sum over the root of their number."""

    def __init__(self, vocabulary: int, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary + 1, size, padding_idx=UNKNOWN)
        nn.init.normal_(self.embedding.weight, std=0.1)
        with torch.no_grad():
            self.embedding.weight[UNKNOWN] = 0.0

    def forward(self, words: Tensor, length: Tensor) -> Tensor:
        """words (B, W), length (B,) -> (B, 2 size)."""
        total = self.embedding(words).sum(1)
        return torch.cat((total / length[:, None], total / torch.sqrt(length)[:, None]), dim=-1)


class BidirectionalText(nn.Module):
    """The 2022 encoder: two bidirectional LSTM layers under additive attention."""

    def __init__(self, vocabulary: int, size: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary + 1, size, padding_idx=UNKNOWN)
        self.recurrent = nn.LSTM(size, hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.key = nn.Linear(2 * hidden, hidden)
        self.query = nn.Linear(2 * hidden, hidden, bias=False)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, words: Tensor, length: Tensor) -> Tensor:
        """words (B, W), length (B,) -> (B, 2 hidden); padding changes nothing."""
        spoken = torch.arange(words.shape[1], device=words.device)[None] < length[:, None]
        lengths = torch.clamp(length, max=float(words.shape[1])).to(torch.int64).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(words), lengths, batch_first=True, enforce_sorted=False
        )
        encoded, (last, _) = self.recurrent(packed)
        outputs, _ = nn.utils.rnn.pad_packed_sequence(encoded, batch_first=True, total_length=words.shape[1])
        query = self.query(torch.cat((last[-2], last[-1]), dim=-1))
        score = self.score(torch.tanh(self.key(outputs) + query[:, None])).squeeze(-1)
        weight = torch.softmax(score.masked_fill(~spoken, -1e9), dim=-1)
        return (weight[..., None] * outputs).sum(1)
