"""Measuring a corpus: the live extractor's numbers, in several processes, however often it is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from tandem_models.extract import IncrementalExtractor, SpeakerRange, analyse, phonation
from tandem_models.prosody import EXTRACTOR_VERSION, INDEX
from tandem_models.signal import SAMPLE_RATE, VAD_FRAME, Audio, Resampler
from tandem_models.text import syllables
from tandem_training.corpus import extraction
from tandem_training.corpus.audio import Recordings
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.extraction import extract
from tandem_training.corpus.features import Row, append_rows, fingerprint, read_table
from tandem_training.corpus.folder import Corpus
from tandem_training.corpus.manifest import Turn
from tandem_training.corpus.measure import Work, measure_dialogue

from .samples import corpus, spoken_corpus, stereo, turn, voice


def table(made: Corpus) -> dict[tuple[str, int], Row]:
    return read_table(made.table(EXTRACTOR_VERSION), EXTRACTOR_VERSION)


def streamed(path: Path, channel: int) -> Audio:
    """One channel as the server hears it: frame by frame through the streaming resampler, to the end."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    resampler = Resampler(rate, SAMPLE_RATE)
    pieces = [resampler.feed(samples[at : at + 160, channel]) for at in range(0, len(samples), 160)]
    return np.concatenate([*pieces, resampler.flush()])


def live(turns: list[Turn], audio: dict[int, Audio]) -> list[tuple[float | None, ...]]:
    """What the live server measures of the same turns: fed frame by frame, each speaker's range carried on."""
    ranges: dict[str, SpeakerRange] = {}
    found = []
    for one in turns:
        known = ranges.get(one.speaker, SpeakerRange())
        extractor = IncrementalExtractor(known.pitch_range)
        assert one.start is not None and one.end is not None and one.channel is not None and one.text and one.words
        samples = audio[one.channel][round(one.start * SAMPLE_RATE) : round(one.end * SAMPLE_RATE)]
        for at in range(0, len(samples), VAD_FRAME):
            for block in extractor.feed(samples[at : at + VAD_FRAME]):
                extractor.add(analyse(block))
        tail = extractor.pending()
        spans = [(start, end) for _, start, end in one.words]
        measured = extractor.result(syllables(one.text), phonation(spans), None if tail is None else analyse(tail))
        ranges[one.speaker] = known.updated(measured)
        found.append(measured.prosody.values)
    return found


def test_the_numbers_are_those_of_a_live_run_to_the_last_bit(tmp_path: Path) -> None:
    made = spoken_corpus(tmp_path, ("d1",))
    result = extract(made)
    turns = made.turns()
    audio = {channel: streamed(tmp_path / "audio" / "d1.wav", channel) for channel in (0, 1)}
    assert [table(made)[one.key].values for one in turns] == live(turns, audio)
    assert result.turns == 4 and not result.failures
    assert all(value is not None for one in turns for value in table(made)[one.key].values)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
def test_a_stretch_is_what_streaming_the_whole_recording_gives(tmp_path: Path, rate: int) -> None:
    path = stereo(tmp_path / "d.wav", rate, 3.0)
    whole = streamed(path, 1)
    for start, end in ((0.0, 0.7), (0.9037, 2.1001), (2.2, 3.0)):
        stretch = Recordings().read(path, 1, start, end)
        wanted = whole[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        assert np.array_equal(stretch, wanted)


def test_each_side_is_heard_in_its_own_channel(tmp_path: Path) -> None:
    made = spoken_corpus(tmp_path, ("d1",))
    extract(made)
    pitch = [row.values[INDEX["pitch_mean"]] or 0.0 for row in table(made).values()]
    # 110 Hz is 1.65 semitones above 100 Hz, 210 Hz is 12.84; the voices move by a tenth.
    assert pitch[0::2] == pytest.approx([1.65, 1.65], abs=0.7)
    assert pitch[1::2] == pytest.approx([12.84, 12.84], abs=0.7)


def test_processes_do_not_change_the_table_and_what_is_measured_is_not_done_again(tmp_path: Path) -> None:
    made = spoken_corpus(tmp_path, ("d1", "d2", "d3"))
    told: list[tuple[int, int]] = []
    extract(made, 2, lambda done, total, _: told.append((done, total)))
    path = made.table(EXTRACTOR_VERSION)
    parallel = path.read_bytes()
    again = extract(made, 2)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert (again.dialogues, again.kept, again.turns) == (0, 3, 12)
    path.unlink()
    extract(made)
    assert path.read_bytes() == parallel


def test_a_killed_run_goes_on_and_ends_with_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = spoken_corpus(tmp_path, ("d1", "d2", "d3"))
    path = made.table(EXTRACTOR_VERSION)
    extract(made)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]) + lines[5][:40])  # killed in the middle of a line of the second dialogue
    done: list[str] = []
    result = extract(made, progress=lambda _1, _2, name: done.append(name))
    assert done == ["d2", "d3"] and result.kept == 1
    assert path.read_bytes() == whole


def test_a_run_that_is_killed_twice_loses_nothing_that_was_done(tmp_path: Path) -> None:
    made = spoken_corpus(tmp_path, ("d1", "d2", "d3"))
    path = made.table(EXTRACTOR_VERSION)
    extract(made)
    whole = path.read_bytes()
    path.write_bytes(whole.splitlines(keepends=True)[0] + b'{"dialogue":"d1","tu')

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(made, progress=killed)
    assert {name for name, _ in table(made)} == {"d1"} and len(table(made)) == 4
    assert extract(made).kept == 1
    assert path.read_bytes() == whole


def test_a_turn_that_changed_is_measured_anew_with_its_dialogue_and_nothing_else(tmp_path: Path) -> None:
    made = spoken_corpus(tmp_path, ("d1", "d2"))
    extract(made)
    turns = [
        one.model_copy(update={"end": one.end - 0.25 if one.end else None}) if one.key == ("d2", 3) else one
        for one in made.turns()
    ]
    made.put("made", made.sources["made"], turns)
    before = table(made)
    done: list[str] = []
    extract(made, progress=lambda _1, _2, name: done.append(name))
    assert done == ["d2"]
    changed = {key for key, row in table(made).items() if row != before[key]}
    assert changed == {("d2", 3)}


def test_bad_recordings_are_listed_and_stop_nothing(tmp_path: Path) -> None:
    made = spoken_corpus(tmp_path, ("d1", "cut", "mono", "text", "gone"))
    audio = tmp_path / "audio"
    samples, rate = soundfile.read(audio / "cut.wav")
    soundfile.write(audio / "cut.wav", samples[: 3 * rate], rate)
    soundfile.write(audio / "mono.wav", samples[:, 0], rate)
    (audio / "text.wav").write_text("this is not sound")
    (audio / "gone.wav").unlink()
    result = extract(made, 2)
    why = {(name, number): reason for name, number, reason in result.failures}
    assert result.turns == 4 + 1 + 2 and ("cut", 0) not in why
    assert "cut.wav is 3.00 s long and the turn ends at 3.60 s: is it cut off?" in why["cut", 1]
    assert "mono.wav has 1 channel, so no channel 1" in why["mono", 1]
    assert "text.wav cannot be read as sound" in why["text", 0]
    assert "'gone.wav' is not in" in why["gone", 0]
    soundfile.write(audio / "gone.wav", samples, rate)
    assert extract(made).turns == result.turns + 4, "a file that was put right is measured the next time"


def test_samples_that_are_no_numbers_are_repaired_and_integers_refused(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    audio.mkdir()
    sound = voice(1.0, 120.0)
    sound[5000:5010] = np.nan
    soundfile.write(audio / "nan.wav", sound, SAMPLE_RATE, subtype="FLOAT")
    soundfile.write(audio / "loud.wav", voice(1.0, 120.0) * 32768.0, SAMPLE_RATE, subtype="FLOAT")
    lines = [
        turn(0, "a", 0.0, 1.0, "d1", audio="nan.wav", channel=0),
        turn(0, "a", 0.0, 1.0, "d2", audio="loud.wav", channel=0),
    ]
    made = corpus(tmp_path / "corpus", lines, audio)
    result = extract(made)
    assert "repaired" in table(made)["d1", 0].flags
    assert [(name, "integers need scaling" in why) for name, _, why in result.failures] == [("d2", True)]


def test_words_without_sound_have_a_speaking_rate_and_text_alone_has_nothing(tmp_path: Path) -> None:
    words = (("yesterday", 0.0, 0.5), ("morning", 0.7, 1.2))
    lines = [
        turn(0, "a", 0.0, 1.2, text="yesterday morning", words=words, lang="en"),
        turn(1, "b", 1.5, 2.0, text="why"),
        turn(2, "a", 2.5, 3.7, text="ayer mañana", words=tuple((w, s + 2.5, e + 2.5) for w, s, e in words), lang="es"),
    ]
    made = corpus(tmp_path / "corpus", lines)
    result = extract(made)
    rows = table(made)
    # Five syllables in one second of phonation: ln 5.
    assert rows["d1", 0].values == pytest.approx((None,) * 7 + (1.6094379,))
    assert rows["d1", 0].origin == "words"
    assert rows["d1", 2].values == (None,) * 8, "syllables are counted in English only"
    assert result.nothing == 1 and ("d1", 1) not in rows


def test_features_that_the_corpus_brought_are_not_measured_over(tmp_path: Path) -> None:
    made = spoken_corpus(tmp_path, ("d1",))
    first = made.turns()[0]
    given = Row(
        dialogue="d1",
        turn=0,
        version=EXTRACTOR_VERSION,
        measured_on=fingerprint(first),
        origin="given",
        values=(3.0,) + (None,) * 7,
    )
    append_rows(made.table(EXTRACTOR_VERSION), [given])
    extract(made)
    assert table(made)["d1", 0] == given and table(made)["d1", 1].origin == "audio"


def test_versions_do_not_mix(tmp_path: Path) -> None:
    made = spoken_corpus(tmp_path, ("d1",))
    extract(made)
    path = made.table(EXTRACTOR_VERSION)
    path.write_text(path.read_text("utf-8").replace(EXTRACTOR_VERSION, "tandem-prosody-0", 1), "utf-8")
    with pytest.raises(CorpusError, match=r"line 1: measured by 'tandem-prosody-0'.*versions do not mix"):
        extract(made)


def deadly(work: Work) -> list[Row]:
    """In place of the real one: a dialogue that takes its process with it, as a broken codec would."""
    if work.dialogue == "d2":
        import os

        os._exit(1)
    return measure_dialogue(work)


def test_a_dialogue_that_kills_its_process_is_listed_and_the_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = spoken_corpus(tmp_path, ("d1", "d2", "d3"))
    monkeypatch.setattr(extraction, "measure_dialogue", deadly)
    result = extract(made, 2)
    assert {name for name, _, _ in result.failures} == {"d2"}
    assert "the process that measured this dialogue died" in result.failures[0][2]
    assert result.turns == 8


def test_no_processes_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="--jobs is 1 or more"):
        extract(spoken_corpus(tmp_path, ("d1",)), 0)


ENDLESS = """
import os, sys, threading
import subprocess
import sys
from pathlib import Path
from tandem_training.corpus import extraction
from tandem_training.corpus.folder import Corpus

def endless(work):
    print(os.getpid(), flush=True)
    threading.Event().wait()

if __name__ == "__main__":
    extraction.measure_dialogue = endless
    extraction.extract(Corpus.open(Path(sys.argv[1])), 2)
"""


def test_no_process_outlives_a_run_that_was_killed(tmp_path: Path) -> None:
    made = spoken_corpus(tmp_path, ("d1", "d2"))
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    with subprocess.Popen([sys.executable, script, made.folder], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        workers = [psutil.Process(int(run.stdout.readline())) for _ in range(2)]
        run.kill()
        _, left = psutil.wait_procs(workers, timeout=60)
    assert left == []
