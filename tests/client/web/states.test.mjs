import assert from "node:assert/strict";
import { test } from "node:test";
import { afterClose, backoff, socketUrl, subprotocols } from "../../../client/tandem_client/web/connection.js";
import { DEFAULTS, keep, load, sessionUpdate } from "../../../client/tandem_client/web/settings.js";
import { CONNECTION, MICROPHONE, microphoneState, plain } from "../../../client/tandem_client/web/states.js";

const failure = (name) => Object.assign(new Error("x"), { name });

test("each failure of the microphone has its own words and a way on", () => {
  assert.equal(microphoneState(failure("NotAllowedError")), "denied");
  assert.equal(microphoneState(failure("NotFoundError")), "missing");
  assert.equal(microphoneState(failure("NotReadableError")), "busy");
  assert.equal(microphoneState("what"), "failed");
  for (const state of ["idle", "denied", "missing", "busy", "ended", "failed"]) assert.ok(MICROPHONE[state].action);
  for (const notice of Object.values(MICROPHONE)) assert.ok(notice.title && notice.text);
});

test("what a closed socket means", () => {
  const cases = [
    [1000, true, null, "closed"], [1008, true, null, "closed"],
    [1006, false, null, "waiting"], [1006, false, 502, "waiting"], [1006, false, 426, "waiting"], [1006, false, 503, "full"], [1013, false, 200, "full"],
    [1006, false, 401, "token"], [1006, false, 403, "token"], [1008, false, 200, "token"], [1006, false, 200, "refused"],
  ];
  for (const [code, welcomed, probe, state] of cases) {
    assert.equal(afterClose(code, welcomed, probe, false), state, `${code} ${welcomed} ${probe}`);
    assert.ok(CONNECTION[state]);
  }
});

test("a conversation that was cut off is gone on with unless the server says that it is over", () => {
  for (const code of [1001, 1005, 1006, 1011, 1012, 1013]) assert.equal(afterClose(code, true, null, true), "away");
  for (const probe of [404, 410]) assert.equal(afterClose(1006, false, probe, true), "over");
  assert.equal(afterClose(1006, false, 404, false), "refused", "there is no such page, and no such conversation either");
  assert.equal(afterClose(1006, false, 503, true), "away", "who has a place keeps it");
  assert.equal(afterClose(1006, false, 401, true), "token");
  for (const probe of [null, 426, 502]) assert.equal(afterClose(1006, false, probe, true), "waiting");
  assert.ok(CONNECTION.away.title && CONNECTION.back.title);
});

test("tries come later and later, up to eight seconds, give or take a quarter", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 20].map((attempt) => backoff(attempt, 0.5)), [500, 1000, 2000, 4000, 8000, 8000]);
  assert.equal(backoff(0, 0), 375);
  assert.equal(backoff(0, 1), 625);
});

test("the socket is where the page came from; the token is a subprotocol, never in the address", () => {
  assert.equal(socketUrl(new URL("https://a.example/x?y")), "wss://a.example/v1/realtime");
  assert.equal(socketUrl(new URL("http://127.0.0.1:8000/")), "ws://127.0.0.1:8000/v1/realtime");
  assert.equal(socketUrl(new URL("http://a.example/"), "?session_id=s"), "ws://a.example/v1/realtime?session_id=s");
  assert.deepEqual(subprotocols(""), ["realtime"]);
  assert.deepEqual(subprotocols("abc"), ["realtime", "openai-insecure-api-key.abc"]);
});

test("errors are sentences", () => {
  assert.equal(plain({ code: null, message: "the voice failed" }), "The voice failed.");
  assert.match(plain({ code: "unknown_event_type", message: "unknown event type 'x'" }), /Reload/);
});

test("settings are kept, and what no longer fits is left out", () => {
  const storage = { kept: null, getItem: () => storage.kept, setItem: (_, value) => { storage.kept = value; } };
  assert.deepEqual(load(storage), { ...DEFAULTS });
  keep(storage, { ...DEFAULTS, strategy: "anti", strength: 0.3 });
  assert.equal(load(storage).strategy, "anti");
  storage.kept = JSON.stringify({ strategy: 1, strength: "much", features: ["rate", "charm"], userId: 4, audioFrames: "mp3" });
  assert.deepEqual(load(storage), { ...DEFAULTS, features: ["rate"] });
  storage.kept = "{";
  assert.deepEqual(load(storage), { ...DEFAULTS });
});

test("what the person has not chosen is the server's business", () => {
  const asked = (settings) => sessionUpdate({ ...DEFAULTS, ...settings }).session.tandem;
  assert.deepEqual(Object.keys(asked({})), ["user_id", "audio_frames"]);
  assert.deepEqual(asked({ strength: 0, userId: "p07" }), { strength: 0, user_id: "p07", audio_frames: "binary" });
  assert.deepEqual(asked({ strategy: "anti", features: [] }).features, []);
});

test("what an earlier page kept without being asked is no choice", () => {
  const kept = new Map([["tandem.settings", JSON.stringify({ strategy: "match", strength: 1 })]]);
  assert.deepEqual(load({ getItem: (key) => kept.get(key) ?? null }), { ...DEFAULTS });
});

test("the page says where sound and words go", () => {
  assert.match(MICROPHONE.idle.text, /sound goes to this server and no further.*words are recorded.*response engine/);
});

test("nobody in particular is null", () => {
  const { session } = sessionUpdate({ ...DEFAULTS, userId: "  " });
  assert.equal(session.tandem.user_id, null);
  assert.equal(session.audio.input.turn_detection.interrupt_response, true);
  assert.equal(sessionUpdate({ ...DEFAULTS, userId: " p07 " }).session.tandem.user_id, "p07");
});
