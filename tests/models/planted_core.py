"""A core that knows what a world's simulator knows: what training should find."""

from __future__ import annotations

import numpy as np
import torch

from tandem_models.entrainment_core import GAIN_BOUND, LEVEL_BOUND, Core
from tandem_training.simulate import World, stationary


def plant(core: Core, world: World, unit: float = 1.0) -> None:
    """Set every parameter to the truth, for values in `unit` simulator units. The squashing is inverted by hand."""
    alpha = np.array([kind.alpha for kind in world.types])
    total = alpha + [kind.beta for kind in world.types]
    limit = LEVEL_BOUND * (1.0 - world.phi)
    bound = GAIN_BOUND * np.minimum(np.minimum(1.0 - world.phi + alpha, 1.0), 1.0 + world.phi - alpha)
    alpha_raw = limit * np.arctanh(alpha / limit)
    beta_raw = bound * np.arctanh(total / bound) - alpha
    share = world.phi / 0.95
    scale = unit**2
    with torch.no_grad():
        core.phi_logit.fill_(float(np.log(share / (1.0 - share))))
        core.log_q.fill_(float(np.log(world.q / scale)))
        core.log_r.fill_(float(np.log(2.0 * world.r0 / scale)))
        core.length_power.fill_(1.0)
        core.log_within.fill_(float(np.log(np.square(world.tau) / scale)))
        core.log_start.fill_(float(np.log(stationary(world) / scale)))
        core.alpha_raw.copy_(torch.from_numpy(alpha_raw)[:, None].expand_as(core.alpha_raw))
        core.beta_raw.copy_(torch.from_numpy(beta_raw)[:, None].expand_as(core.beta_raw))
        core.type_logit.copy_(torch.tensor([kind.share for kind in world.types]).log())
        core.temper_logit.fill_(30.0)
