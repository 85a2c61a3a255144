"""Every recipe by name. Text only, so that a server can list and check recipes without importing what they need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Recipe(NamedTuple):
    """Where a recipe is; nothing that comes over the network ever names these."""

    summary: str
    """One line for people"""
    spec: str
    """module:class of its pydantic spec, in a module that is light to import"""
    module: str
    """Module with `run(spec, job)`, which may import anything"""


RECIPES: Final[Mapping[str, Recipe]] = {
    "entrainment": Recipe(
        "Train an entrainment model on simulated dialogues, listening and speaking.",
        "tandem_training.specs:Entrainment",
        "tandem_training.recipes.entrainment",
    ),
    "entrainment-evaluation": Recipe(
        "Put entrainment models through held-out simulated dialogues: report.html and report.json.",
        "tandem_training.specs:EntrainmentEvaluation",
        "tandem_training.recipes.entrainment_evaluation",
    ),
    "normaliser-prior": Recipe(
        "Fit the normaliser's population prior to a table of turns, by type-II maximum likelihood.",
        "tandem_training.specs:NormaliserPrior",
        "tandem_training.recipes.normaliser_prior",
    ),
    "pronunciation": Recipe(
        "Make the front end's lexicon and letter-to-sound model from CMUdict.",
        "tandem_training.specs:Pronunciation",
        "tandem_training.recipes.pronunciation",
    ),
    "voice-corpus": Recipe(
        "Build the voice's training corpus: a teacher's speech with exact phone times, and copies with other prosody.",
        "tandem_training.specs:VoiceCorpus",
        "tandem_training.recipes.voice_corpus",
    ),
    "voice": Recipe(
        "Train a voice's acoustic model on a corpus of speech with its phones, evaluate it and export it.",
        "tandem_training.specs:Voice",
        "tandem_training.recipes.voice",
    ),
    "vocoder": Recipe(
        "Train a voice's vocoder on the speech of a corpus, evaluate it and export it.",
        "tandem_training.specs:Vocoder",
        "tandem_training.recipes.vocoder",
    ),
}
