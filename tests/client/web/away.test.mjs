import assert from "node:assert/strict";
import { test } from "node:test";
import { KEPT_MS, KeptAudio } from "../../../client/tandem_client/web/kept.js";
import { Position } from "../../../client/tandem_client/web/position.js";

const frame = (number) => ({ samples: new Int16Array(480), timeMs: number * 20, pageMs: number * 20 });
const created = { type: "session.created", event_id: "event_ab_1", session: { id: "sess_ab" } };

test("before a session there is nothing to go on with", () => {
  const position = new Position();
  position.heard(3);
  assert.equal(position.query, "");
});

test("the last message counts, and a binary frame has the id that its event would have", () => {
  const position = new Position();
  position.saw(created);
  assert.equal(position.query, "?session_id=sess_ab&last_event_id=event_ab_1");
  position.saw({ type: "response.created", event_id: "event_ab_7" });
  assert.equal(position.query, "?session_id=sess_ab&last_event_id=event_ab_7");
  position.heard(12);
  assert.equal(position.query, "?session_id=sess_ab&last_event_id=event_ab_a12");
  position.saw({ ...created, event_id: "event_cd_1", session: { id: "sess_cd" } });
  assert.equal(position.query, "?session_id=sess_cd&last_event_id=event_cd_1");
});

test("what is in an address is written as addresses are", () => {
  const position = new Position();
  position.saw({ type: "session.created", event_id: "a b&c", session: { id: "s/1" } });
  assert.equal(position.query, "?session_id=s%2F1&last_event_id=a+b%26c");
});

test("what was said while nobody could hear it comes out in order, once", () => {
  const kept = new KeptAudio();
  for (const number of [1, 2, 3]) assert.equal(kept.push(frame(number)), 0);
  assert.deepEqual([kept.shift(), kept.shift(), kept.shift(), kept.shift()].map((one) => one?.timeMs), [20, 40, 60, undefined]);
  assert.ok(kept.empty);
});

test("ten seconds are kept, and the oldest goes first", () => {
  const kept = new KeptAudio();
  const most = KEPT_MS / 20;
  for (let number = 0; number < most; number += 1) assert.equal(kept.push(frame(number)), 0);
  assert.equal(kept.push(frame(most)), 1);
  assert.equal(kept.shift().timeMs, 20);
  kept.clear();
  assert.ok(kept.empty);
  assert.equal(kept.push(frame(0)), 0, "an empty one has room again");
});
