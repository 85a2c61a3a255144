"""The user's half of a conversation: from VAD frames to finished turns with words, times and prosody. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tandem_models.extract import TurnProsody
from tandem_models.signal import SAMPLE_RATE, SAMPLES_PER_MS, VAD_FRAME
from tandem_server import turn
from tandem_server.conversation_events import (
    Arm,
    Disarm,
    Effect,
    Finalise,
    Finalised,
    Forget,
    FrameHeard,
    JudgeTurn,
    Listen,
    ListenOn,
    PartialHeard,
    Record,
    Remember,
    TrackGrew,
    TurnJudged,
)
from tandem_server.errors import ClientError
from tandem_server.items import Item
from tandem_server.record.records import TurnRecord
from tandem_server.shared_state import SharedState, by_name, milliseconds
from tandem_server.stages.cues import UNHEARD, ending
from tandem_server.stages.endpoint import SHIPPED, Evidence, patience
from tandem_server.stages.entrain import Spoken, UserScores
from tandem_server.stages.onsets import Onsets
from tandem_server.stages.pauses import SpeakerPauses
from tandem_server.stages.protocols import Transcript, Word
from tandem_server.turn_wire import TurnWire
from tandem_server.user_turn import Notice, UserBegan, UserFinished, UserPaused, UserTookBack, UserTurn, UserWentOn

FINALISE_DEADLINE: Final = 8.0
"""Seconds a turn may wait for its words; PocketSphinx's slowest final on 227 recordings took 3.1 s."""
AUDIO_DEADLINE: Final = 30.0
"""Seconds without audio after which a client that ends its turns itself is told that one is open"""
BARGE_IN: Final = 128 * SAMPLES_PER_MS
"""Samples of sound, half of it voiced, that interrupt the agent: four VAD frames keep clicks and breaths from it."""
RECORD_DEADLINE: Final = 10.0
"""Seconds a turn may wait for the store before it is reported as not recorded."""
_ONSET_MARGIN: Final = 160 * SAMPLES_PER_MS
"""Samples before the first voiced frame after a pause that the recogniser gets too: soft onsets."""
SOFT: Final = 35.0
"""dB below the loudest frame of the turn: whatever is softer is not speech any more, though the detector lingers."""
CUT_OFF: Final = 1500 * SAMPLES_PER_MS
"""Samples of silence after which who speaks again is going on with the turn that was closed meanwhile: too soon to
have heard an answer."""
_COUGH: Final = 0.4
"""Seconds of voice; a turn without words and with less voice than this was no turn."""

_AUDIO: Final = "audio:0"


class Listening:
    """Feeds the turn machine and collects what it opens and closes."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared
        self._state: turn.State = turn.Quiet()
        self._turns: dict[int, UserTurn] = {}
        self._evidence: Evidence | None = None
        self._pauses = SpeakerPauses(SHIPPED.pauses)
        self._ended: int | None = None
        """Last sample of speech in the turn that silence closed last"""
        self._loudest = 0.0
        """dB, of the open turn"""
        self._quiet_since = 0
        self._onsets = Onsets()
        self._used = 0
        """Samples that belong to turns already closed: no audio is used twice"""
        self._echo = 0
        """Frames of the agent's voice since the last turn was closed"""
        self._missing = False
        """Audio stays away from the open turn, which is not to be said twice"""
        self._unreported: dict[str, tuple[int, Effect]] = {}
        """Item -> its turn, and what to tell the client once that is safe"""

    @property
    def state(self) -> turn.State:
        """Of the turn machine."""
        return self._state

    @property
    def user_speaking(self) -> bool:
        """A turn is open."""
        return isinstance(self._state, turn.Hearing | turn.Pausing)

    @property
    def pending(self) -> bool:
        """A turn is closed and not yet understood, or not yet safe."""
        return bool(self._unreported) or self.words_pending

    @property
    def words_pending(self) -> bool:
        """A turn is closed and not yet understood."""
        return any(one.closed for one in self._turns.values())

    def frame(self, news: FrameHeard, agent_audible: bool) -> list[Effect | Notice]:
        """One VAD frame."""
        self._loudest = max(*news.levels, self._loudest if self.user_speaking else -math.inf)
        audible = [part for part, level in enumerate(news.levels, 1) if level > self._loudest - SOFT]
        if audible:
            self._quiet_since = news.end - VAD_FRAME + audible[-1] * VAD_FRAME // len(news.levels)
        settings = self._shared.settings.turn
        if self._evidence is not None:
            waited = patience(settings.patience, self._evidence, self._pauses, settings.most_patience)
            settings = replace(settings, patience=waited)
        if agent_audible:
            settings = replace(settings, min_speech=max(settings.min_speech, BARGE_IN))
        loud_since = self._onsets.heard(news.end, news.levels)
        loud_since = None if news.echo or news.alone else loud_since  # what is left of the agent's voice is loud too
        frame = turn.Frame(news.end, self._probability(news), self._quiet_since, loud_since)
        return self._no_longer_missing() + self._step(frame, settings)

    def commit(self) -> list[Effect | Notice]:
        """The client ends the turn. Raises ClientError when there is none."""
        if not self.user_speaking:
            message = "there is no audio to commit: the buffer is empty, or holds no speech yet"
            raise ClientError(message, code="input_audio_buffer_commit_empty")
        return self._step(turn.Commit(self._shared.heard), self._shared.settings.turn)

    def clear(self) -> list[Effect | Notice]:
        """The client takes the turn back."""
        self._used = self._shared.heard
        return self._step(turn.Clear(self._shared.heard), self._shared.settings.turn)

    def pass_over(self) -> None:
        """What was heard so far is used up: it was silence."""
        self._used = self._shared.heard

    def stalled(self) -> list[Effect | Notice]:
        """No audio comes any more."""
        return self._step(turn.Stall(self._shared.heard), self._shared.settings.turn)

    def audio_missing(self) -> list[Effect]:
        """It has stayed away for so long that the client may have forgotten the turn. It stays open."""
        if not self._missing:
            return []
        message = (
            f"no audio has come for {AUDIO_DEADLINE:g} s and more, and the turn is still open: send "
            "input_audio_buffer.commit to have it answered, input_audio_buffer.clear to drop it, or more audio"
        )
        return [self._shared.error(message, "input_audio_stalled")]

    def partial(self, news: PartialHeard) -> list[Effect | Notice]:
        """Show the part of the hypothesis that two in a row agree on, but for its last word, which often changes."""
        user = self._turns.get(news.turn)
        if user is None or user.settled:
            return []
        said = user.result.transcript.text.split() if user.result and user.result.transcript else []
        words = said + news.text.split()
        stable = _common_prefix(words, user.last_words)[:-1]
        user.last_words = words
        return self._show(user, stable)

    def track(self, news: TrackGrew) -> list[Effect | Notice]:
        """Show pitch while it is being spoken."""
        user = self._turns.get(news.turn)
        if user is None:
            return []
        return [user.wire.track(news.start_ms, news.pitch)]

    def finalised(self, news: Finalised) -> list[Effect | Notice]:
        """A pause has been understood: evidence for the endpoint, or the end of a closed turn."""
        user = self._turns.get(news.turn)
        if user is None or news.generation != user.generation:
            return []
        user.result = news
        if not user.settled:  # the user went on meanwhile
            return []
        effects = self._show(user, news.transcript.text.split()) if news.transcript else []
        if user.closed is not None:
            return effects + self._complete(news.turn, user)
        voice = ending(news.measured.track, news.measured.loudness) if news.measured else UNHEARD
        text = news.transcript.text if news.transcript else ""
        complete = self._evidence.complete if self._evidence else None
        if news.transcript:
            self._evidence = Evidence(text, voice, kept(user.last_words, text.split()), complete)
        scores = self._scores(news.measured, text) if news.measured else None
        return [*effects, UserPaused(text, scores)] if text else effects

    def judged(self, news: TurnJudged) -> None:
        """The turn model has heard a pause; its word counts in that pause only."""
        user, state = self._turns.get(news.turn), self._state
        if isinstance(state, turn.Pausing) and state.turn == news.turn and user and user.pauses == news.pause:
            self._evidence = replace(self._evidence or Evidence(""), complete=news.complete)

    def expired(self, number: int) -> list[Effect | Notice]:
        """The words of a closed turn did not come in time, or it was not recorded in time."""
        user = self._turns.get(number)
        if user is None or user.closed is None:
            unsafe = [item for item, (of, _) in self._unreported.items() if of == number]
            return [one for item in unsafe for one in self.stored(item, "the turn was not recorded in time")]
        measured = user.result.measured if user.result else None
        message = "the recogniser did not answer in time"
        user.result = Finalised(number, user.generation, None, measured, message)
        return self._complete(number, user)

    def stored(self, item_id: str, error: str | None) -> list[Effect | Notice]:
        """The turn is safe (or not): now it may be reported."""
        if item_id not in self._unreported:
            return []
        number, report = self._unreported.pop(item_id)
        lost: list[Effect] = [] if error is None else [self._shared.error(error, "turn_not_recorded")]
        return [Disarm(f"turn:{number}"), report, *lost]

    def _probability(self, news: FrameHeard) -> float:
        """That the user speaks: the agent's own voice sounds like speech too."""
        settings = self._shared.settings
        self._echo += news.echo
        return 0.0 if news.alone and settings.tandem.echo == "suppress" else news.probability

    def _step(self, event: turn.Event, settings: turn.TurnSettings) -> list[Effect | Notice]:
        before = self._state
        self._state, wanted = turn.step(before, event, settings)
        effects: list[Effect | Notice] = []
        if isinstance(before, turn.Hearing) and isinstance(self._state, turn.Pausing):
            effects += self._fell_silent(self._state.turn)
        for effect in wanted:
            match effect:
                case turn.OpenTurn():
                    effects += self._open(effect)
                case turn.Settle():
                    effects += self._settle(effect.turn)
                case turn.Resume():
                    assert isinstance(before, turn.Pausing)
                    self._pauses = self._pauses.heard((effect.at - before.since) / SAMPLES_PER_MS)
                    self._evidence = None
                    self._turns[effect.turn].settled = False
                    effects += [UserWentOn(), ListenOn(effect.turn, effect.at - _ONSET_MARGIN)]
                case turn.CloseTurn():
                    effects += self._no_longer_missing() + self._close(effect)
                case turn.DropTurn():
                    self._evidence = None
                    del self._turns[effect.turn]
                    effects += [*self._no_longer_missing(), UserTookBack(), Forget(effect.turn)]
                case turn.MissAudio() if not self._missing:
                    self._missing = True
                    effects.append(Arm(_AUDIO, AUDIO_DEADLINE))
        return effects

    def _no_longer_missing(self) -> list[Effect | Notice]:
        missing, self._missing = self._missing, False
        return [Disarm(_AUDIO)] if missing else []

    def _open(self, opened: turn.OpenTurn) -> list[Effect | Notice]:
        shared = self._shared
        if self._ended is not None and opened.start - self._ended < CUT_OFF:
            self._pauses = self._pauses.heard((opened.start - self._ended) / SAMPLES_PER_MS)
        start = max(opened.start - shared.settings.padding, self._used, 0)
        start -= start % VAD_FRAME  # audio is kept in frames, and the times of words count from the first
        user = UserTurn(TurnWire(shared, shared.item_id()), start, announced=not shared.settings.turn.manual)
        self._turns[opened.turn] = user
        effects: list[Effect | Notice] = [user.wire.started(milliseconds(start))] if user.announced else []
        return [*effects, UserBegan(), Listen(opened.turn, start)]

    def _fell_silent(self, number: int) -> list[Effect | Notice]:
        """Ask at once: the answer takes a while, and no silence is needed to hear how a voice ended."""
        user, self._evidence = self._turns[number], None
        user.pauses += 1
        return [] if self._shared.settings.turn.manual else [JudgeTurn(number, user.pauses, user.start)]

    def _settle(self, number: int) -> list[Effect | Notice]:
        user = self._turns[number]
        user.generation += 1
        user.settled = True
        return [Finalise(number, user.generation)]

    def _close(self, closed: turn.CloseTurn) -> list[Effect | Notice]:
        shared = self._shared
        user = self._turns[closed.turn]
        user.closed, user.closed_now, self._used, self._evidence = closed, shared.now, closed.at, None
        self._ended = closed.speech_end if closed.reason == "silence" else None
        user.echo, self._echo = self._echo, 0
        effects: list[Effect | Notice] = []
        if user.announced:
            effects.append(user.wire.stopped(milliseconds(closed.at)))
        item = Item(user.item_id, "user", spoken=True, audio_ms=milliseconds(closed.at - user.start))
        before, added = shared.add(item)
        effects += [user.wire.committed(before), added, shared.done(item, before)]
        if not user.settled:
            effects += self._settle(closed.turn)
        if user.result is not None and user.result.generation == user.generation:
            return effects + self._complete(closed.turn, user)
        return [*effects, Arm(f"turn:{closed.turn}", FINALISE_DEADLINE)]

    def _complete(self, number: int, user: UserTurn) -> list[Effect | Notice]:
        """Words and prosody of a closed turn are there, as far as they ever will be."""
        assert user.closed is not None and user.result is not None
        del self._turns[number]
        shared, result, measured = self._shared, user.result, user.result.measured
        transcript = result.transcript or Transcript("")
        item = shared.items.find(user.item_id)
        if isinstance(item, Item):
            item.text = transcript.text
        effects: list[Effect | Notice] = [Arm(f"turn:{number}", RECORD_DEADLINE), Forget(number)]
        voiced = measured.voiced if measured is not None else 0.0
        substantial = bool(transcript.text) or voiced >= _COUGH or result.transcript is None
        scores = self._learn(measured, transcript.text) if measured is not None and substantial else None
        if measured is not None and scores is not None:
            effects.append(user.wire.prosody(milliseconds(user.start), measured, scores))
        waited = milliseconds(user.closed.at - user.closed.speech_end)
        stages = {"endpoint": float(waited), "transcript": (shared.now - user.closed_now) * 1000.0}
        if result.transcript is None:
            self._unreported[user.item_id] = number, user.wire.not_transcribed(result.error or "")
        else:
            seconds = (user.closed.at - user.start) / SAMPLE_RATE
            self._unreported[user.item_id] = number, user.wire.transcribed(transcript.text, seconds)
        effects.append(Record(self._record(user, transcript, scores, {**stages, **result.took_ms}), self._remembered()))
        understood = result.transcript is not None
        return [*effects, UserFinished(transcript.text, understood, substantial, user.closed_now, stages)]

    def _learn(self, measured: TurnProsody, text: str) -> UserScores:
        """Where the turn stands, judged before it is learnt from."""
        shared, scores = self._shared, self._scores(measured, text)
        shared.history = shared.history.heard(scores)
        shared.speaker = shared.speaker.updated(measured.prosody, measured.weight)
        shared.speaker_range = shared.speaker_range.updated(measured)
        return scores

    def _scores(self, measured: TurnProsody, text: str) -> UserScores:
        speaker, spoken = self._shared.speaker, Spoken(measured.prosody, text, measured.weight)
        return UserScores(speaker.z(measured.prosody), speaker.population_z(measured.prosody), spoken)

    def _record(
        self, user: UserTurn, transcript: Transcript, scores: UserScores | None, latencies: Mapping[str, float]
    ) -> TurnRecord:
        assert user.closed is not None and user.result is not None
        measured, offset = user.result.measured, user.start / SAMPLE_RATE
        words = tuple(Word(word.text, word.start + offset, word.end + offset) for word in transcript.words)
        flags: dict[str, object] = {"closed_by": user.closed.reason}
        if user.echo:
            flags["echo_ms"] = milliseconds(user.echo * VAD_FRAME)
        if measured is not None:
            flags["prosody"] = list(measured.flags)
        if scores is not None:
            flags["level"] = by_name(scores.level)
        return TurnRecord(
            id=f"turn_{user.item_id}",
            conversation_id=self._shared.session_id,
            index=self._shared.turn_index(),
            role="user",
            item_id=user.item_id,
            started_ms=milliseconds(user.start),
            ended_ms=milliseconds(max(user.closed.speech_end, user.start)),
            text=transcript.text,
            words=words,
            features=by_name(measured.prosody.values) if measured else {},
            z=by_name(scores.z) if scores else {},
            latencies=latencies,
            status="completed" if user.result.transcript is not None else "failed",
            flags=flags,
        )

    def _remembered(self) -> Remember | None:
        """What is kept of a user who has a name."""
        shared, user_id = self._shared, self._shared.settings.tandem.user_id
        if user_id is None:
            return None
        return Remember(user_id, shared.speaker.to_dict(), shared.speaker_range.to_dict())

    def _show(self, user: UserTurn, words: list[str]) -> list[Effect | Notice]:
        """A delta with the words that are new, unless they contradict what was shown (the final text will say)."""
        if len(words) <= len(user.shown) or words[: len(user.shown)] != user.shown:
            return []
        new = words[len(user.shown) :]
        delta = (" " if user.shown else "") + " ".join(new)
        user.shown = words
        return [user.wire.delta(delta)]


def kept(guess: list[str], words: list[str]) -> bool:
    """Is the last word of the guess still there? Words that came since are no change: guesses lag behind."""
    return bool(guess) and len(words) >= len(guess) and words[len(guess) - 1] == guess[-1]


def _common_prefix(one: list[str], other: list[str]) -> list[str]:
    same = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        same += 1
    return one[:same]
