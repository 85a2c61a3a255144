"""A voice of random networks, small enough for a test: it mumbles, at the right times."""

from __future__ import annotations

from pathlib import Path

import torch

from tandem_models import checkpoint
from tandem_models.checkpoint import Card
from tandem_models.fastpros import Fastpros, FastprosConfig
from tandem_models.phone_set import PHONES
from tandem_models.prosody import EXTRACTOR_VERSION, Prosody
from tandem_models.tts import VoiceConfig
from tandem_models.vocoder import Vocoder, VocoderConfig
from tandem_models.voice_folders import ABOUT, VoiceAbout, fingerprints
from tandem_training.voice_export import ACOUSTIC_METHODS, VOCODER_METHODS, frozen

MEAN = (10.0, 6.0, 70.0, 20.0, -4.0, -2.4, 12.0, 1.5)
SD = (2.0, 1.5, 3.0, 3.0, 0.3, 0.2, 2.0, 0.2)
CONFIG = FastprosConfig(
    VoiceConfig(PHONES, MEAN, SD, EXTRACTOR_VERSION, pitch_mean=10.0, pitch_sd=2.0, energy_mean=60.0, energy_sd=5.0),
    width=16, condition=8, encoder_blocks=2, decoder_blocks=2, expansion=2,
)  # fmt: skip
CARD = Card("A small voice", "For tests.", "None: random weights.", ("Made by the tests.",))


def make(folder: Path) -> Path:
    """A voice folder, calibrated as its corpus says."""
    torch.manual_seed(4)
    acoustic = Fastpros(CONFIG).eval()
    torch.nn.init.zeros_(acoustic.out.weight)  # or exp of what it mumbles is not audio
    torch.nn.init.zeros_(acoustic.duration.out.weight)  # every phone is as long as any other
    exported = frozen(acoustic, ACOUSTIC_METHODS)
    checkpoint.save(folder / "acoustic", "fastpros", CONFIG, CARD, exported={"torchscript": exported})
    small = VocoderConfig(width=16, blocks=1, expansion=2)
    sound = frozen(Vocoder(small).eval(), VOCODER_METHODS)
    checkpoint.save(folder / "vocoder", "vocoder", small, CARD, exported={"torchscript": sound})
    about = VoiceAbout("small", "Mumbles.", Prosody(MEAN), Prosody(SD), *fingerprints(folder))
    (folder / ABOUT).write_text(about.to_json(), encoding="utf-8")
    return folder
