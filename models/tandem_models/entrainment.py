"""How a speaker's next turn will sound, from both speakers' prosody so far and the words about to be spoken.

    words ----------> text encoder --+--------------------------> lexical effect --+
    history --> encoder, attention --+--> decoder --> gates of alpha, beta          +--> quantiles of each feature
                                              |--> bank of Kalman filters (core) --+
                                              +--> bounded residual, spread -------+

A turn is two calls: `predict` before it is spoken and `observe` afterwards; the state between them is a value that the
caller keeps. Values, means and quantiles are in units of the population: (stored value - prior m) / within-speaker sd
(`Units`). The 2022 architecture and the plain networks it is compared with are configurations (`CONFIGURATIONS`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor, nn

from tandem_models.entrainment_core import Core, CoreState, Forecast, evidence, mixture
from tandem_models.entrainment_network import Attention, Cells
from tandem_models.entrainment_text import Bag, BidirectionalText
from tandem_models.prosody import NAMES

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
MEDIAN: Final = QUANTILES.index(0.5)
_STEPS: Final = (0.9704, 0.6745, 0.6745, 0.9704)
"""Between the same quantiles of N(0, 1), from which training starts."""
_LONG: Final = 20.0
"""Turns by which a dialogue has got going: the scale on which the network is told the time."""
RESIDUAL_BOUND: Final = 0.5
"""As far as the network may move what the filters expect, in within-speaker sd: loops stay the filters' business."""


@dataclass(frozen=True, slots=True)
class EntrainmentConfig:
    """Shape of one model. Raises ValueError for what cannot be built."""

    vocabulary: tuple[str, ...] = ()
    """Words with a trained vector, in order; the first has index 1"""
    text: Literal["words", "bidirectional", "given", "none"] = "words"
    """Trained vectors as a bag, as in 2022, a vector per turn that the caller brings, or no text"""
    text_size: int = 16
    """Of a word's vector, or of the given vector"""
    hidden: int = 24
    layers: int = 1
    cell: Literal["gru", "lstm"] = "gru"
    decoder: Literal["feedforward", "recurrent"] = "feedforward"
    attention: bool = True
    core: bool = True
    """Kalman bank; without it the decoder predicts alone"""
    types: int = 3
    """Ways to treat a partner that the bank tells apart"""
    residual: bool = True
    """Without a core: predict the departure from the speaker's shrunk mean instead of the value"""
    partner: bool = True
    history: bool = True
    mask: bool = True
    """Without: a missing value counts as an observed usual one"""
    normaliser: Literal["posterior", "population"] = "posterior"
    """Inputs against what is usual for the speaker, or for anybody"""
    dropout: float = 0.0
    memory: int = 64
    """Turns that attention can look back on"""

    def __post_init__(self) -> None:
        if min(self.hidden, self.layers, self.types, self.text_size, self.memory) < 1:
            raise ValueError("hidden, layers, types, text_size and memory are at least 1")
        if self.text in ("words", "bidirectional") and not self.vocabulary:
            raise ValueError(f"text={self.text!r} needs a vocabulary; text='given' and 'none' do not")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is from 0 to below 1, not {self.dropout}")

    @property
    def text_width(self) -> int:
        """Size of the encoded text."""
        return {"words": 2 * self.text_size, "bidirectional": 2 * self.hidden, "given": self.text_size, "none": 1}[
            self.text
        ]


FULL: Final = EntrainmentConfig(text="none")
CONFIGURATIONS: Final[Mapping[str, EntrainmentConfig]] = {
    "full": FULL,
    "residual-gru": replace(FULL, core=False, hidden=64),
    "plain-gru": replace(FULL, core=False, residual=False, hidden=64, normaliser="population"),
    "2022": replace(FULL, core=False, hidden=256, layers=2, cell="lstm", decoder="recurrent", dropout=0.5),
    "no attention": replace(FULL, attention=False),
    "no partner": replace(FULL, partner=False),
    "no history": replace(FULL, history=False),
    "no mask": replace(FULL, mask=False),
    "corpus z": replace(FULL, normaliser="population"),
}
"""By name; text and vocabulary come with the corpus."""


class Upcoming(NamedTuple):
    """The turn about to be spoken, in B dialogues."""

    speaker: Tensor
    """(B,) int64, 0 or 1"""
    words: Tensor
    """(B, W) int64 indices, 0 for padding and unknown words"""
    length: Tensor
    """(B,) words, at least 1"""
    sentence: Tensor
    """(B, text_size) when the text is given as a vector, else (B, 0)"""
    usual: Tensor
    """(B, F) the speaker's shrunk mean so far"""
    certainty: Tensor
    """(B, F) log k of the speaker's normaliser"""


class Spoken(NamedTuple):
    """How it was spoken."""

    value: Tensor
    """(B, F); anything where it is not seen"""
    seen: Tensor
    """(B, F) 1 or 0"""
    z: Tensor
    """(B, F) against the normaliser before the turn"""
    generated: Tensor
    """(B,) 1 if a voice spoke at the model's wish: that says little about how a person would have"""


class State(NamedTuple):
    """What a dialogue has been so far; `predict` fills in the pending turn and `observe` takes it up."""

    core: CoreState
    encoder: Tensor
    """(B, 2, layers, 2 hidden), by point of view"""
    decoder: Tensor
    memory: Tensor
    """(B, 2, turns, hidden)"""
    turn: Tensor
    """(B,) turns spoken"""
    forecast: Forecast
    upcoming: Upcoming
    text: Tensor


class Prediction(NamedTuple):
    """Of the turn about to be spoken, (B, F) unless said otherwise."""

    mean: Tensor
    sd: Tensor
    quantiles: Tensor
    """(B, F, 5), rising"""
    alpha: Tensor
    """Expected proximity coupling: how far the speaker moves to where the partner is"""
    beta: Tensor
    """Expected synchrony coupling: how much of the partner's departure from usual the speaker repeats"""


class EntrainmentModel(nn.Module):
    """One model of the family; see the module's picture."""

    __constants__ = (
        "uses_core",
        "uses_attention",
        "uses_partner",
        "uses_history",
        "uses_mask",
        "residual",
        "recurrent",
        "worded",
        "given",
        "remembered",
    )

    def __init__(self, config: EntrainmentConfig) -> None:
        super().__init__()
        self.config = config
        features, hidden, width = len(NAMES), config.hidden, config.text_width
        self.uses_core, self.uses_attention, self.uses_partner = config.core, config.attention, config.partner
        self.uses_history, self.uses_mask, self.residual = config.history, config.mask, config.residual
        self.recurrent = config.decoder == "recurrent"
        self.worded, self.given = config.text in ("words", "bidirectional"), config.text == "given"
        self.remembered = config.memory
        self.long, self.residual_bound = _LONG, RESIDUAL_BOUND  # TorchScript sees no globals
        lstm = config.cell == "lstm"
        if config.text == "words":
            self.words: nn.Module = Bag(len(config.vocabulary), config.text_size)
        elif config.text == "bidirectional":
            self.words = BidirectionalText(len(config.vocabulary), config.text_size, hidden)
        self.core = Core(features, config.types if config.core and config.partner else 1, coupled=config.partner)
        self.lexical = nn.Linear(width, features)
        self.encoder = Cells(3 * features + 4 + width, hidden, config.layers, lstm)
        if config.attention:
            self.attention = Attention(hidden, hidden + width, hidden)
        self.dropout = nn.Dropout(config.dropout)
        inputs = hidden + width + features + 1 + (hidden if config.attention else 0)
        if config.decoder == "recurrent":
            self.decoder = Cells(inputs, hidden, config.layers, lstm)
        self.inner = nn.Linear(hidden if config.decoder == "recurrent" else inputs, hidden)
        self.out = nn.Linear(hidden, 4 * features)
        self.log_spread = nn.Parameter(torch.zeros(features))
        self.middle = nn.Parameter(torch.zeros(features))
        self.steps = nn.Parameter(torch.log(torch.expm1(torch.tensor([_STEPS] * features))))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        nn.init.zeros_(self.lexical.bias)
        nn.init.normal_(self.lexical.weight, std=0.01)

    def forward(self, state: State, upcoming: Upcoming) -> tuple[Prediction, State]:
        """The same as `predict`."""
        return self.predict(state, upcoming)

    @torch.jit.export
    def start(self, usual: Tensor, certainty: Tensor) -> State:
        """Before the first turn: both speakers' expected level and log k, (B, 2, F)."""
        batch, features = usual.shape[0], usual.shape[2]
        core = self.core.start(usual, certainty)
        zero = usual.new_zeros(batch, features)
        nobody = torch.zeros(batch, dtype=torch.int64, device=usual.device)
        empty = torch.zeros(batch, 1, dtype=torch.int64, device=usual.device)
        none = usual.new_zeros(batch, 0)
        return State(
            core,
            usual.new_zeros(batch, 2, self.encoder.layers, 2 * self.encoder.hidden),
            usual.new_zeros(batch, 2, self.encoder.layers, 2 * self.encoder.hidden),
            usual.new_zeros(batch, 2, 0, self.encoder.hidden),
            usual.new_zeros(batch),
            Forecast(zero[:, None, None], zero[:, None, None]),
            Upcoming(nobody, empty, usual.new_ones(batch), none, zero, zero),
            usual.new_zeros(batch, self.lexical.in_features),
        )

    @torch.jit.export
    def predict(self, state: State, upcoming: Upcoming) -> tuple[Prediction, State]:
        """What to expect of the upcoming turn, and the state in which `observe` takes what it was."""
        text = self.encode(upcoming)
        query, own = self.decode(state, upcoming, text)
        alpha_gate, beta_gate, shift, widen = torch.chunk(self.out(torch.tanh(self.inner(query))), 4, dim=-1)
        decoder = torch.where((upcoming.speaker == 0)[:, None, None, None] == self.views(state), own, state.decoder)
        if self.uses_core:
            alpha, beta = self.core.coupling(2.0 * torch.sigmoid(alpha_gate), 2.0 * torch.sigmoid(beta_gate))
            added = self.lexical(text) + self.residual_bound * torch.tanh(shift)
            core, forecast = self.core.predict(state.core, upcoming.speaker, alpha, beta, added, upcoming.length)
            mean, sd = mixture(core, forecast)
            alpha, beta = self.expected(core, upcoming.speaker, alpha), self.expected(core, upcoming.speaker, beta)
        else:
            core = state.core
            mean = self.lexical(text) + shift + (upcoming.usual if self.residual else torch.zeros_like(shift))
            sd = torch.exp(self.log_spread).expand_as(mean)
            forecast = Forecast(mean[:, None, None], (sd * sd)[:, None, None])
            alpha, beta = torch.zeros_like(mean), torch.zeros_like(mean)
        scale = sd * torch.exp(torch.tanh(widen))
        prediction = Prediction(mean, sd, mean[..., None] + scale[..., None] * self.offsets(), alpha, beta)
        return prediction, State(core, state.encoder, decoder, state.memory, state.turn, forecast, upcoming, text)

    @torch.jit.export
    def observe(self, state: State, spoken: Spoken) -> State:
        """The state after the predicted turn was spoken like this."""
        upcoming = state.upcoming
        seen, value, z = spoken.seen, spoken.value, spoken.z
        if not self.uses_history:
            seen = torch.zeros_like(seen)
        if self.uses_mask:
            value, z = torch.where(seen > 0.0, value, torch.zeros_like(value)), z * seen
        else:
            value, z = torch.where(seen > 0.0, value, upcoming.usual), z * seen
            seen = torch.ones_like(seen)
        core = state.core
        if self.uses_core:
            core = self.core.observe(core, state.forecast, upcoming.speaker, value, seen, spoken.generated)
        encoder = torch.stack(
            [
                self.encoder(self.lived(view, upcoming, z, seen, spoken.generated, state.text), state.encoder[:, view])
                for view in (0, 1)
            ],
            dim=1,
        )
        latest = encoder[:, :, -1, : self.encoder.hidden][:, :, None]
        memory = torch.cat((state.memory, self.dropout(latest)), dim=2)[:, :, -self.remembered :]
        return State(core, encoder, state.decoder, memory, state.turn + 1.0, state.forecast, upcoming, state.text)

    @torch.jit.export
    def evidence(self, state: State, value: Tensor, seen: Tensor) -> Tensor:
        """(B,) log density of the predicted turn, nats, before it is observed."""
        if self.uses_core:
            return evidence(state.core, state.forecast, value, seen)
        surprise = value - state.forecast.mean[:, 0, 0]
        variance = state.forecast.variance[:, 0, 0]
        return -0.5 * ((surprise * surprise / variance + torch.log(2.0 * math.pi * variance)) * seen).sum(-1)

    def encode(self, upcoming: Upcoming) -> Tensor:
        """(B, text width)"""
        if self.worded:
            text: Tensor = self.words(upcoming.words, upcoming.length)
        else:
            text = upcoming.sentence if self.given else torch.zeros_like(upcoming.usual[:, :1])
        return text

    def decode(self, state: State, upcoming: Upcoming, text: Tensor) -> tuple[Tensor, Tensor]:
        """What the last two layers start from, and the decoder's next state as (B, 1, layers, 2 hidden)."""
        rows = torch.arange(upcoming.speaker.shape[0], device=text.device)
        here = self.encoder.top(state.encoder[rows, upcoming.speaker])
        turn = torch.tanh(state.turn / self.long)[:, None]
        parts = [here, text, upcoming.certainty, turn]
        if self.uses_attention:
            query = torch.cat((here, text), dim=-1)
            parts.append(self.attention(state.memory[rows, upcoming.speaker], query))
        inputs = self.dropout(torch.cat(parts, dim=-1))
        own = state.decoder[rows, upcoming.speaker]
        if self.recurrent:
            own = self.decoder(inputs, own)
            inputs = self.decoder.top(own)
        return inputs, own[:, None]

    def lived(self, view: int, upcoming: Upcoming, z: Tensor, seen: Tensor, generated: Tensor, text: Tensor) -> Tensor:
        """The encoder's input for one point of view, (B, 3 F + 4 + text width)."""
        own = (upcoming.speaker == view).to(z.dtype)[:, None]
        told = own if not self.uses_partner else torch.ones_like(own)
        if not self.uses_history:
            told = torch.zeros_like(own)
        parts = (
            z,
            seen,
            upcoming.certainty,
            own,
            1.0 - own,
            torch.log(upcoming.length)[:, None],
            generated[:, None],
            text,
        )
        return torch.cat(parts, dim=-1) * told

    def offsets(self) -> Tensor:
        """(F, 5) rising quantiles of the standardised error."""
        steps = nn.functional.softplus(self.steps)
        middle = self.middle[:, None]
        below = middle - steps[:, 1:2]
        above = middle + steps[:, 2:3]
        return torch.cat((below - steps[:, 0:1], below, middle, above, above + steps[:, 3:4]), dim=-1)

    def views(self, state: State) -> Tensor:
        """(1, 2, 1, 1) true for speaker 0's point of view."""
        return (torch.arange(2, device=state.turn.device) == 0)[None, :, None, None]

    def expected(self, core: CoreState, speaker: Tensor, coupling: Tensor) -> Tensor:
        """(B, F) coupling (B, types, F) of the speaker, over the types in doubt."""
        weight = torch.exp(core.log_weight)
        mine = torch.where((speaker == 0)[:, None], weight.sum(2), weight.sum(1))
        return (mine[..., None] * coupling).sum(1)
