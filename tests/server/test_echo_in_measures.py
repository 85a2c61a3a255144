"""The agent's voice in the microphone must not look as if the user entrained to it: real voices, through the detector
and the extractor as the session uses them. Users interrupt while the last second of the agent is still heard."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from tandem_models.extract import UNKNOWN_RANGE, analyse
from tandem_models.measures import Exchanges, measured
from tandem_models.normaliser import Normaliser
from tandem_models.prosody import NAMES
from tandem_models.signal import SAMPLE_RATE, VAD_FRAME, WIRE_RATE, Audio, float_to_pcm16, resample
from tandem_models.surrogates import benjamini_hochberg
from tandem_server.audio import AudioInput
from tandem_server.engines.fakes import FakeRecogniser
from tandem_server.hearing import HeardTurn
from tandem_server.stages.echo import EchoRemover, Heard

EXCHANGES: Final = 33
LATE: Final = SAMPLE_RATE * 12 // 100
LEAK: Final = -6.0
"""dB from what is played to what comes back; the user is 4 dB below what is played"""
OVERLAP, PADDING = SAMPLE_RATE, SAMPLE_RATE * 3 // 10
FIRST: Final = SAMPLE_RATE // 2
ACOUSTIC: Final = len(NAMES) - 1
"""All but the rate, which needs words"""
Scores = np.ndarray


def voices(folder: Path) -> list[Audio]:
    """Recordings of at least 1.5 s, from the first sound to the last."""
    found = []
    for path in sorted(folder.glob("*/*.flac")):
        audio, rate = soundfile.read(path, dtype="float32")
        audio = resample(audio, rate, SAMPLE_RATE) if rate != SAMPLE_RATE else audio
        loud = np.flatnonzero(np.abs(audio) > 0.03 * np.abs(audio).max())
        if loud[-1] - loud[0] > 1.5 * SAMPLE_RATE:
            found.append(audio[loud[0] : loud[-1]])
    return found


def at(audio: Audio, decibels: float) -> Audio:
    """The same at so many dB re full scale."""
    return np.asarray(audio * 10.0 ** (decibels / 20.0) / np.sqrt(np.mean(np.square(audio))), np.float32)


class Microphone:
    """One caller's: what is played comes back, and the user speaks into it."""

    def __init__(self) -> None:
        self.dice = np.random.default_rng(5)
        tail = self.dice.normal(size=1500) * np.exp(-np.arange(1500) / 300.0)
        self.room = np.concatenate([[1.0], 0.12 * tail]) * 10.0 ** (LEAK / 20.0)
        self.remover = EchoRemover()

    async def turn(self, agent: Audio, user: Audio, *, leak: bool, removed: bool) -> Scores:
        """How the user's turn measures, in z of the population."""
        begin = FIRST + LATE + len(agent) - OVERLAP
        total = -(-(begin + len(user)) // VAD_FRAME) * VAD_FRAME
        sound = self.dice.normal(0.0, 2e-4, total)
        if leak:
            echo = np.convolve(agent, self.room)[: total - FIRST - LATE]
            sound[FIRST + LATE : FIRST + LATE + len(echo)] += echo
        sound[begin : begin + len(user)] += user
        start = begin - PADDING
        audio, first = AudioInput(), -(-FIRST // VAD_FRAME)
        pcm = float_to_pcm16(resample(sound.astype(np.float32), SAMPLE_RATE, WIRE_RATE))
        for number, frame in enumerate(audio.frames(pcm)):
            if number == first:
                self.remover.loudspeaker.play(float_to_pcm16(resample(agent, SAMPLE_RATE, WIRE_RATE)))
            heard = self.remover.hear(frame)
            if removed:
                audio.measure(heard.measurable)
        since, whole = audio.since(start)
        return await measure(since, whole, audio.measured_since(start))


async def measure(start: int, audio: Audio, measurable: Audio) -> Scores:
    stream = await FakeRecogniser([""]).open(lambda _: None)
    turn = HeardTurn.begin(0, start, stream, UNKNOWN_RANGE)
    for block in turn.feed(start, audio, measurable):
        turn.extractor.add(analyse(block))
    tail = turn.extractor.pending()
    prosody = turn.extractor.result(None, None, None if tail is None else analyse(tail)).prosody
    return np.array([np.nan if z is None else z for z in Normaliser.new().population_z(prosody)])


def adjusted(users: Scores, agents: Scores) -> Scores:
    """p of the user's synchrony with the agent, feature by feature."""
    exchanges = Exchanges(users, agents, np.arange(len(users), dtype=np.float64))
    found = [measured("synchrony", exchanges, feature).p for feature in range(ACOUSTIC)]
    return benjamini_hochberg([np.nan if p is None else p for p in found])


def pull(users: Scores, clean: Scores, agents: Scores) -> float:
    """How far the users' values have moved from what they are towards the agent's: a share, mean of the features."""
    moved, way = (users - clean)[:, :ACOUSTIC], (agents - clean)[:, :ACOUSTIC]
    return float(np.mean(np.nansum(moved * way, axis=0) / np.nansum(way * way, axis=0)))


async def test_an_echo_under_the_users_first_words_is_not_reported_as_entrainment(shared_data: Path) -> None:
    """Strangers, who never heard each other. What is measured of the raw microphone says that the setting is one that
    counts: there the echo alone makes a finding."""
    found = voices(shared_data / "speech")
    order = np.random.default_rng(0).permutation(len(found))
    agents = [at(found[one][: 4 * SAMPLE_RATE], -24.0) for one in order[:EXCHANGES]]
    users = [at(found[one][: SAMPLE_RATE * 5 // 2], -28.0) for one in order[EXCHANGES : 2 * EXCHANGES]]
    spoken = np.array([await measure(0, one, one) for one in agents])

    async def heard(*, leak: bool, removed: bool) -> Scores:
        microphone = Microphone()
        pairs = zip(agents, users, strict=True)
        return np.array([await microphone.turn(agent, user, leak=leak, removed=removed) for agent, user in pairs])

    clean, cleaned = await heard(leak=False, removed=True), await heard(leak=True, removed=True)
    raw = await heard(leak=True, removed=False)

    assert np.nanmin(adjusted(clean, spoken)) > 0.05
    assert np.nanmin(adjusted(raw, spoken)) < 0.05
    assert np.nanmin(adjusted(cleaned, spoken)) > 0.05
    assert abs(pull(cleaned, clean, spoken)) < pull(raw, clean, spoken) / 4


def test_what_is_measured_of_a_frame_may_be_other_than_what_is_heard_for_its_words() -> None:
    audio = AudioInput()
    pcm = float_to_pcm16(np.full(WIRE_RATE, 0.25, np.float32))
    for number, frame in enumerate(audio.frames(pcm)):
        if number == 10:
            audio.measure(Heard(frame, echo=True, alone=True).measurable)
        if number == 11:
            audio.measure(Heard((frame / 2).astype(np.float32), echo=True).measurable)
    start, whole = audio.since(8 * VAD_FRAME)
    measurable = audio.measured_since(8 * VAD_FRAME)
    assert start == 8 * VAD_FRAME and len(whole) == len(measurable)
    ratio = (measurable / whole).reshape(-1, VAD_FRAME)
    assert [set(row.tolist()) for row in ratio[:5]] == [{1.0}, {1.0}, {0.0}, {0.5}, {1.0}]
