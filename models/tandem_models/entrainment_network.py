"""The recurrent part of the entrainment model: an encoder of what was said, attention over it, and a decoder.

Everything is told from both speakers' points of view at once (role-relative): row v of a state is the dialogue as
speaker v lives it, so that one set of weights serves both. The 2022 architecture is `cell="lstm"`, two layers and a
recurrent decoder.
"""

import torch
from torch import Tensor, nn


class Cells(nn.Module):
    """A stack of LSTM cells; GRU is what is left when the state's second half stays unused."""

    __constants__ = ("lstm", "layers", "hidden")

    def __init__(self, inputs: int, hidden: int, layers: int, lstm: bool) -> None:
        super().__init__()
        self.lstm, self.layers, self.hidden = lstm, layers, hidden
        sizes = [inputs] + [hidden] * (layers - 1)
        self.cells = nn.ModuleList([nn.LSTMCell(n, hidden) if lstm else nn.GRUCell(n, hidden) for n in sizes])

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """inputs (N, inputs), state (N, layers, 2 hidden) -> the next state."""
        rows = []
        for layer, cell in enumerate(self.cells):
            before, memory = state[:, layer, : self.hidden], state[:, layer, self.hidden :]
            if self.lstm:
                before, memory = cell(inputs, (before, memory))
            else:
                before = cell(inputs, before)
            inputs = before
            rows.append(torch.cat((before, memory), dim=-1))
        return torch.stack(rows, dim=1)

    def top(self, state: Tensor) -> Tensor:
        """(N, hidden) of the last layer."""
        return state[:, -1, : self.hidden]


class Attention(nn.Module):
    """Additive attention (Bahdanau et al. 2015) over the turns so far."""

    def __init__(self, hidden: int, query: int, size: int) -> None:
        super().__init__()
        self.key = nn.Linear(hidden, size)
        self.query = nn.Linear(query, size, bias=False)
        self.score = nn.Linear(size, 1, bias=False)

    def forward(self, memory: Tensor, query: Tensor) -> Tensor:
        """memory (B, N, hidden), query (B, query) -> context (B, hidden); zero before the first turn."""
        if memory.shape[1] == 0:
            return torch.zeros(memory.shape[0], memory.shape[2], dtype=memory.dtype, device=memory.device)
        score = self.score(torch.tanh(self.key(memory) + self.query(query)[:, None]))
        return (torch.softmax(score, dim=1) * memory).sum(1)
