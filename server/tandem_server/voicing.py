"""From words to sound: how the pieces of a live reply become phrases, and their audio what is sent. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tandem_models.signal import WIRE_RATE
from tandem_server.conversation_events import Effect, PhraseSpoken, SendAudio, Speak
from tandem_server.live_reply import Reply
from tandem_server.shared_state import SharedState
from tandem_server.stages.protocols import Word

LOST_THREAD: Final = "Sorry, I lost my thread there. Could you say that once more?"
"""Spoken when the responder failed before it had said anything."""


def take_text(live: Reply, text: str, shared: SharedState) -> list[Effect]:
    """A piece of what to say: every phrase that it completes is handed on."""
    return [effect for phrase in live.splitter.feed(text) for effect in _phrase(live, phrase, shared)]


def end_text(live: Reply, shared: SharedState) -> list[Effect]:
    """All of it is known. A reply that neither says nor calls anything apologises."""
    effects = [effect for phrase in live.splitter.flush() for effect in _phrase(live, phrase, shared)]
    if not live.phrases and not live.output.wanted:
        effects += _phrase(live, LOST_THREAD, shared)
    live.complete = True
    return effects


def send_speech(live: Reply, news: PhraseSpoken, shared: SharedState) -> list[Effect]:
    """Audio is there: send its text, then itself, as far as the reply may go on."""
    said = "".join(live.phrases[live.shown : news.phrase + 1])
    room = live.output.audio_room(said)
    pcm = news.pcm if room is None else news.pcm[: 2 * room]
    live.full = len(pcm) < len(news.pcm)
    if not pcm:
        return []
    effects: list[Effect] = []
    if live.audible_from is None:
        live.audible_from, shared.spoken = shared.heard, True
        effects += _first(live, shared)
    while live.shown <= news.phrase:
        effects.append(live.output.say(live.phrases[live.shown]))
        live.shown += 1
    binary = live.settings.tandem.audio_frames == "binary"
    effects.append(
        SendAudio(live.output.wire.response_id, live.item.id, live.sent, pcm, binary, live.settings.output_format)
    )
    offset = live.sent / WIRE_RATE
    live.item.words += tuple(Word(word.text, word.start + offset, word.end + offset) for word in news.words)
    live.sent += len(pcm) // 2
    live.item.audio_ms = live.sent * 1000 // WIRE_RATE
    return effects


def _phrase(live: Reply, phrase: str, shared: SharedState) -> list[Effect]:
    live.first_phrase = live.first_phrase if live.first_phrase is not None else shared.now
    live.phrases.append(phrase)
    effects = _open(live, phrase.strip(), shared)
    if live.aimed is not None:
        return [*effects, Speak(live.number, len(live.phrases) - 1, phrase.strip(), live.aimed.asked)]
    written = live.output.fitting(phrase)
    live.full = live.full or len(written) < len(phrase)
    return [*effects, live.output.say(written)] if written else effects


def _open(live: Reply, first: str, shared: SharedState) -> list[Effect]:
    """Before the first words, by which the voice is aimed: a reply that only calls functions has no message."""
    if live.output.opened:
        return []
    effects: list[Effect] = [*live.output.open()]
    if live.aimed is not None and live.words_known is not None:
        live.aimed = live.words_known(first)
        shared.history = replace(shared.history, target=live.aimed.target)
        effects.append(live.manner.target(live.aimed))
    return effects


def _first(live: Reply, shared: SharedState) -> list[Effect]:
    """The first audio: the wait is over, and its stages are known."""
    now, answered = shared.now, live.request.to
    first_phrase = live.first_phrase if live.first_phrase is not None else now
    live.stages = dict(answered.stages_ms) if answered else {}
    live.stages["response"] = (first_phrase - live.begun) * 1000.0
    live.stages["voice"] = (now - first_phrase) * 1000.0
    if answered:
        live.stages["total"] = live.stages.get("endpoint", 0.0) + (now - answered.ended) * 1000.0
    return [live.manner.latency(live.stages)]
