"""A bank of differentiable Kalman filters, one for each pair of ways in which two speakers may treat each other.

Per feature the state is [l_0, l_1, mu_0, mu_1], the speakers' present and usual levels; when s speaks to p

    l_s <- mu_s + phi (l_s - mu_s) + alpha (l_p - l_s) + beta (l_p - mu_p) + N(0, Q),   value = l_s + input + N(0, R)

with (alpha, beta) of s's type. Types, phi, Q, R and how far people differ are parameters, learnt by gradient through
the exact filter; which types two speakers are is inferred while they talk, from how well each pair of types predicted
all features so far. alpha and beta are squashed so that two such speakers can never amplify each other.
"""

import math
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

LEVEL_BOUND: Final = 0.9
"""Of 1 - phi: as far as |alpha| may go."""
GAIN_BOUND: Final = 0.8
"""Of what a stable pair could bear: as far as |alpha + beta| may go. Two speakers within it are stable together:
(alpha_0 + beta_0)(alpha_1 + beta_1) < (1 - phi + alpha_0)(1 - phi + alpha_1), and so with the opposite sign."""


class CoreState(NamedTuple):
    """B dialogues, I and J types of speakers 0 and 1, F features."""

    mean: Tensor
    """(B, I, J, F, 4)"""
    covariance: Tensor
    """(B, I, J, F, 4, 4)"""
    log_weight: Tensor
    """(B, I, J), normalised"""


class Forecast(NamedTuple):
    """What every pair of types expects of the next turn, (B, I, J, F) each."""

    mean: Tensor
    variance: Tensor


class Core(nn.Module):
    """Filters for `features` features and `types` ways to treat a partner."""

    __constants__ = ("coupled",)

    def __init__(self, features: int, types: int, coupled: bool = True) -> None:
        super().__init__()
        self.coupled = coupled
        self.level_bound, self.gain_bound = LEVEL_BOUND, GAIN_BOUND  # TorchScript sees no globals
        spread = torch.linspace(-0.2, 0.4, types) if types > 1 else torch.full((1,), 0.1)
        self.phi_logit = nn.Parameter(torch.full((features,), 0.0))
        self.log_q = nn.Parameter(torch.full((features,), math.log(0.5)))
        self.log_r = nn.Parameter(torch.full((features,), math.log(0.5)))
        self.length_power = nn.Parameter(torch.full((features,), 0.3))
        self.log_within = nn.Parameter(torch.zeros(features))
        self.log_start = nn.Parameter(torch.full((features,), math.log(0.5)))
        self.alpha_raw = nn.Parameter(spread[:, None].repeat(1, features))
        self.beta_raw = nn.Parameter(spread[:, None].repeat(1, features))
        self.type_logit = nn.Parameter(torch.zeros(types))
        self.log_generated = nn.Parameter(torch.zeros(features))
        self.temper_logit = nn.Parameter(torch.tensor(4.0))

    def phi(self) -> Tensor:
        """(F,) how much of a departure from the usual level is left a turn later."""
        return 0.95 * torch.sigmoid(self.phi_logit)

    def coupling(self, alpha_gate: Tensor, beta_gate: Tensor) -> tuple[Tensor, Tensor]:
        """(alpha, beta) of every type, (B, types, F), under gates (B, F) of which 1 is neutral."""
        phi = self.phi()
        if not self.coupled:
            nothing = torch.zeros_like(alpha_gate[:, None] * self.alpha_raw)
            return nothing, nothing
        limit = self.level_bound * (1.0 - phi)
        alpha = limit * torch.tanh(alpha_gate[:, None] * self.alpha_raw / limit)
        bearable = torch.minimum(torch.clamp(1.0 - phi + alpha, max=1.0), 1.0 + phi - alpha)
        bound = self.gain_bound * bearable
        total = bound * torch.tanh((alpha + beta_gate[:, None] * self.beta_raw) / bound)
        return alpha, total - alpha

    def start(self, usual: Tensor, certainty: Tensor) -> CoreState:
        """Before the first turn: what the normalisers expect, usual and log k, each (B, 2, F)."""
        batch, features = usual.shape[0], usual.shape[2]
        types = self.type_logit.shape[0]
        known = torch.exp(self.log_within - certainty)
        away = torch.exp(self.log_start)
        zero = torch.zeros_like(known[:, 0])
        first, second = known[:, 0], known[:, 1]
        rows = (
            torch.stack((first + away, zero, first, zero), dim=-1),
            torch.stack((zero, second + away, zero, second), dim=-1),
            torch.stack((first, zero, first, zero), dim=-1),
            torch.stack((zero, second, zero, second), dim=-1),
        )
        covariance = torch.stack(rows, dim=-2)[:, None, None]
        mean = torch.cat((usual, usual), dim=1).transpose(1, 2)[:, None, None]
        share = torch.log_softmax(self.type_logit, dim=0)
        weight = (share[:, None] + share[None, :])[None].expand(batch, types, types)
        return CoreState(
            mean.expand(batch, types, types, features, 4),
            covariance.expand(batch, types, types, features, 4, 4),
            weight,
        )

    def predict(
        self, state: CoreState, speaker: Tensor, alpha: Tensor, beta: Tensor, added: Tensor, length: Tensor
    ) -> tuple[CoreState, Forecast]:
        """One turn on: speaker (B,) 0 or 1, alpha and beta (B, types, F), added input (B, F), length (B,) in words."""
        first = (speaker == 0)[:, None, None, None]
        own_alpha = torch.where(first, alpha[:, :, None], alpha[:, None, :])
        own_beta = torch.where(first, beta[:, :, None], beta[:, None, :])
        phi = self.phi().expand_as(own_alpha)
        gain = own_alpha + own_beta
        row = torch.where(
            first[..., None],
            torch.stack((phi - own_alpha, gain, 1.0 - phi, -own_beta), dim=-1),
            torch.stack((gain, phi - own_alpha, -own_beta, 1.0 - phi), dim=-1),
        )
        here = self._level(speaker, state.mean)
        there = 1.0 - here
        spread = (state.covariance * row[..., None, :]).sum(-1)
        level = (state.mean * row).sum(-1)
        variance = (spread * row).sum(-1) + torch.exp(self.log_q)
        cross = spread * there
        covariance = (
            state.covariance * (there[..., :, None] * there[..., None, :])
            + here[..., :, None] * cross[..., None, :]
            + cross[..., :, None] * here[..., None, :]
            + variance[..., None, None] * (here[..., :, None] * here[..., None, :])
        )
        mean = state.mean * there + level[..., None] * here
        noise = torch.exp(self.log_r - self.length_power * torch.log(length)[:, None])
        forecast = Forecast(level + added[:, None, None], variance + noise[:, None, None])
        return CoreState(mean, covariance, state.log_weight), forecast

    def observe(
        self, state: CoreState, forecast: Forecast, speaker: Tensor, value: Tensor, seen: Tensor, generated: Tensor
    ) -> CoreState:
        """Learn a turn: value and seen (1 or 0) are (B, F); generated (B,) is 1 for what a voice made at our wish."""
        here = self._level(speaker, state.mean)
        seen = seen[:, None, None]
        unsure = generated[:, None] * torch.exp(self.log_generated)
        variance = forecast.variance + unsure[:, None, None]
        surprise = (value[:, None, None] - forecast.mean) * seen
        column = (state.covariance * here[..., None, :]).sum(-1) * seen[..., None]
        gain = column / variance[..., None]
        likelihood = -0.5 * (surprise * surprise / variance + seen * torch.log(variance))
        weight = state.log_weight + torch.sigmoid(self.temper_logit) * likelihood.sum(-1)
        return CoreState(
            state.mean + gain * surprise[..., None],
            state.covariance - gain[..., :, None] * column[..., None, :],
            weight - torch.logsumexp(weight, dim=(1, 2), keepdim=True),
        )

    def _level(self, speaker: Tensor, like: Tensor) -> Tensor:
        """(B, 1, 1, 1, 4): 1 at the speaker's present level."""
        places = torch.arange(4, device=like.device)
        return (places[None] == speaker[:, None]).to(like.dtype)[:, None, None, None]


def mixture(state: CoreState, forecast: Forecast) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (B, F) over all pairs of types."""
    weight = torch.exp(state.log_weight)[..., None]
    mean = (weight * forecast.mean).sum((1, 2))
    apart = forecast.mean - mean[:, None, None]
    return mean, torch.sqrt((weight * (forecast.variance + apart * apart)).sum((1, 2)))


def evidence(state: CoreState, forecast: Forecast, value: Tensor, seen: Tensor) -> Tensor:
    """(B,) log density of a turn's seen features before it was learnt, nats."""
    surprise = value[:, None, None] - forecast.mean
    each = -0.5 * (surprise * surprise / forecast.variance + torch.log(2.0 * math.pi * forecast.variance))
    return torch.logsumexp(state.log_weight + (each * seen[:, None, None]).sum(-1), dim=(1, 2))
