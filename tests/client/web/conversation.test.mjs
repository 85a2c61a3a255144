import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY, exportable, measure, reduce, voiceState } from "../../../client/tandem_client/web/conversation.js";

const run = (...events) => events.reduce(reduce, EMPTY);
const created = { type: "session.created", session: { id: "s1", type: "realtime", tandem: { strategy: "match" } } };
const started = { type: "input_audio_buffer.speech_started", item_id: "u1", audio_start_ms: 100, page_ms: 1100 };
const stopped = { type: "input_audio_buffer.speech_stopped", item_id: "u1", audio_end_ms: 900, page_ms: 1900 };
const heardText = {
  type: "conversation.item.input_audio_transcription.completed", item_id: "u1", content_index: 0, transcript: "good day",
};
const prosody = (more) => ({
  type: "tandem.user.prosody", item_id: "u1", final: false, page_ms: 1100,
  track: { start_ms: 100, hop_ms: 10, pitch: [1, 2] }, ...more,
});
const userFinal = prosody({
  final: true, track: { start_ms: 120, hop_ms: 10, pitch: [] },
  features: { pitch_mean: 6 }, z: { pitch_mean: 0.1 }, level: { pitch_mean: 0.5, rate: null }, flags: [],
});
const reply = [
  { type: "response.created", response: { id: "r1", status: "in_progress", output: [] } },
  { type: "conversation.item.added", item: { id: "a1", type: "message", role: "assistant", content: [], status: "in_progress" } },
  { type: "response.content_part.added", response_id: "r1", item_id: "a1", part: { type: "audio", transcript: "" } },
  { type: "tandem.agent.target", response_id: "r1", item_id: "a1", strategy: "match", features: {}, z: { pitch_mean: 0.4 } },
  { type: "response.output_audio_transcript.delta", response_id: "r1", item_id: "a1", delta: "good day " },
  { type: "response.output_audio_transcript.delta", response_id: "r1", item_id: "a1", delta: "to you" },
  { type: "page.audio", item_id: "a1", ms: 1000 },
];
const turn = [created, started, prosody(), stopped, heardText, userFinal, ...reply];

test("the voice state follows the turn", () => {
  assert.equal(voiceState(EMPTY, false), "idle");
  assert.equal(voiceState(run(created), true), "listening");
  assert.equal(voiceState(run(created, started), true), "user");
  assert.equal(voiceState(run(created, started, stopped), true), "thinking");
  assert.equal(voiceState(run(...turn), true), "thinking");
  const playing = [...turn, { type: "page.started", item_id: "a1", item_ms: 0, page_ms: 2500 }];
  assert.equal(voiceState(run(...playing), true), "agent");
  const over = [...playing, { type: "response.done", response: { id: "r1", status: "completed" } }];
  assert.equal(voiceState(run(...over), true), "agent", "the server is done long before the loudspeaker is");
  assert.equal(voiceState(run(...over, { type: "page.finished", item_id: "a1", played_ms: 1000 }), true), "listening");
});

test("the same conversation goes on where it was cut, and another one begins below", () => {
  const before = run(...turn);
  const again = reduce(before, { ...created, session: { ...created.session, tandem: { strategy: "anti" } } });
  assert.deepEqual({ ...again, session: null }, { ...before, session: null });
  assert.equal(again.session.tandem.strategy, "anti");
  const other = reduce(before, { ...created, session: { ...created.session, id: "s2" } });
  assert.deepEqual(other.items.map(({ role }) => role), ["user", "assistant", "note"]);
  assert.deepEqual([other.output, other.response], [null, null]);
});

test("nothing understood is no reason to wait for a reply", () => {
  const state = run(created, started, stopped, { ...heardText, transcript: " " });
  assert.equal(voiceState(state, true), "listening");
});

test("text grows by deltas and is replaced by what is final", () => {
  const state = run(...turn, { type: "response.output_audio_transcript.done", item_id: "a1", transcript: "Good day to you." });
  assert.deepEqual(state.items.map(({ role, text, final }) => ({ role, text, final })), [
    { role: "user", text: "good day", final: true },
    { role: "assistant", text: "Good day to you.", final: true },
  ]);
});

test("audio belongs to the part announced last, and after an interruption to nobody until the next", () => {
  assert.equal(run(...turn).output, "a1");
  const again = { ...started, item_id: "u2" };
  assert.equal(run(...turn, again).output, null);
  const next = { type: "response.content_part.added", response_id: "r2", item_id: "a2", part: { type: "audio" } };
  assert.equal(run(...turn, again, next).output, "a2");
});

test("a session that does not interrupt keeps its audio", () => {
  const session = { type: "realtime", audio: { input: { turn_detection: { interrupt_response: false } } } };
  assert.equal(run(...turn, { type: "session.updated", session }, { ...started, item_id: "u2" }).output, "a1");
});

test("an interrupted reply shows what was heard: by share first, then as the server has it", () => {
  const cut = run(...turn, { type: "page.interrupted", item_id: "a1", played_ms: 600 });
  assert.equal(cut.items[1].heardText, "good day");
  assert.equal(cut.items[1].heardMs, 600);
  const item = { id: "a1", type: "message", role: "assistant", content: [{ type: "output_audio", transcript: "good day to" }] };
  const exact = reduce(cut, { type: "conversation.item.retrieved", item });
  assert.equal(exact.items[1].heardText, "good day to");
  const late = reduce(exact, { type: "response.output_audio_transcript.delta", item_id: "a1", delta: " and more" });
  assert.equal(late.items[1].text, "good day to you");
});

test("pitch so far is appended; a whole track replaces it", () => {
  const more = prosody({ page_ms: 1120, track: { start_ms: 120, hop_ms: 10, pitch: [3] } });
  const pieces = run(created, started, prosody(), more).items[0].pieces;
  assert.deepEqual(pieces.map(({ pageMs, pitch }) => ({ pageMs, pitch })), [
    { pageMs: 1100, pitch: [1, 2] }, { pageMs: 1120, pitch: [3] },
  ]);
  const whole = prosody({ final: true, track: { start_ms: 100, hop_ms: 10, pitch: [9, 9, 9] } });
  assert.deepEqual(run(created, started, prosody(), more, whole).items[0].pieces.map(({ pitch }) => pitch), [[9, 9, 9]]);
});

test("a turn fills up: level, target, realised, then the measures of the server; missing is null", () => {
  const realised = {
    type: "tandem.agent.realised", response_id: "r1", item_id: "a1", features: { pitch_mean: 7 }, z: { pitch_mean: 0.3 },
    track: { start_ms: 0, hop_ms: 10, pitch: [5] }, limits: [],
  };
  const state = run(...turn, realised);
  assert.equal(state.turns.length, 1);
  const { distance, ...levels } = measure(state.turns[0], "pitch_mean");
  assert.deepEqual(levels, { user: 0.5, target: 0.4, realised: 0.3 });
  assert.ok(Math.abs(distance - 0.2) < 1e-9);
  assert.deepEqual(measure(state.turns[0], "rate"), { user: null, target: null, realised: null, distance: null });
  assert.deepEqual(state.items[1].track, { startMs: 0, hopMs: 10, pitch: [5] });
  const features = { pitch_mean: { user: 0.6, target: 0.4, realised: 0.3, distance: 0.3 } };
  const measures = [{ measure: "synchrony", responder: "agent", feature: "rate", n: 1, effect: null, p: null, p_adjusted: null }];
  const measured = reduce(state, { type: "tandem.entrainment", exchange: 1, strategy: "match", features, measures, needed: 8 });
  assert.deepEqual(measured.soFar, { needed: 8, measures });
  assert.equal(measure(measured.turns[0], "pitch_mean").user, 0.6);
  assert.deepEqual(measured.items.map((item) => item.turn), [1, 1]);
});

test("a typed turn has no user level, and its own row", () => {
  const typed = { id: "t1", type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] };
  const target = { ...reply[3], response_id: "r2", item_id: "a2" };
  const state = run(...turn, { type: "conversation.item.added", item: typed }, target);
  assert.equal(state.turns.length, 2);
  assert.deepEqual(measure(state.turns[1], "pitch_mean"), { user: null, target: 0.4, realised: null, distance: null });
  assert.equal(state.items.at(-1).typed && state.items.at(-1).final, true);
});

test("latency is kept with its turn", () => {
  const state = run(...turn, { type: "tandem.latency", response_id: "r1", stages_ms: { asr: 40 } });
  assert.deepEqual(state.turns[0].latency, { asr: 40 });
});

test("problems are shown once, dismissed by hand, and lost races are none", () => {
  const error = (code) => ({ type: "error", event_id: `e-${code}`, error: { type: "invalid_request_error", code, message: code } });
  assert.deepEqual(run(error("response_cancel_not_active")).problems, []);
  const state = run(error("x"), error("x"), error("y"));
  assert.deepEqual(state.problems.map(({ code }) => code), ["x", "y"]);
  assert.deepEqual(reduce(state, { type: "page.dismissed", id: "e-x" }).problems.map(({ code }) => code), ["y"]);
  const failed = { id: "r1", status: "failed", status_details: { error: { message: "no voice" } } };
  assert.equal(run(...turn, { type: "response.done", response: failed }).problems[0].message, "no voice");
});

test("a new conversation after the first one is announced", () => {
  assert.deepEqual(run(created).items, []);
  const other = { ...created, session: { ...created.session, id: "s2" } };
  assert.deepEqual(run(created, other).items.map(({ role }) => role), ["note"]);
});

test("a lost connection ends what was under way", () => {
  const state = run(created, started, { type: "page.disconnected" });
  assert.equal(voiceState(state, false), "idle");
});

test("unknown events and unknown items change nothing", () => {
  const state = run(created);
  assert.equal(reduce(state, { type: "rate_limits.updated" }), state);
  assert.equal(reduce(state, { type: "constructor" }), state);
  assert.equal(reduce(state, { type: "page.position", item_id: "nobody", played_ms: 1 }), state);
});

test("states are never changed in place", () => {
  const freeze = (value) => {
    if (value && typeof value === "object") Object.values(Object.freeze(value)).forEach(freeze);
    return value;
  };
  turn.reduce((state, event) => freeze(reduce(state, event)), EMPTY);
});

test("the download has every feature of every turn, and what it was about", () => {
  const file = exportable(run(...turn), { engines: { asr: "x" } });
  assert.equal(file.format, "tandem-page-1");
  assert.deepEqual(file.engines, { asr: "x" });
  assert.equal(Object.keys(file.turns[0].z).length, 8);
  assert.equal(JSON.parse(JSON.stringify(file)).items.length, 2);
});
