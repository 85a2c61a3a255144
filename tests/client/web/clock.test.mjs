import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionClock } from "../../../client/tandem_client/web/clock.js";
import { cutText } from "../../../client/tandem_client/web/conversation.js";
import { grid, pitchSpan, place } from "../../../client/tandem_client/web/tracks.js";

test("the earliest arrival of a run is believed", () => {
  const clock = new SessionClock();
  assert.equal(clock.toPage(0), null);
  for (const arrival of [1035, 1041, 1060]) clock.advance(20, arrival); // 15 ms, then 1 ms, then 0 ms late
  assert.equal(clock.toPage(0), 1000);
  assert.equal(clock.toPage(50), 1050);
});

test("after a pause the session's clock goes on, and the page's has gone on meanwhile", () => {
  const clock = new SessionClock();
  clock.advance(20, 1020);
  clock.pause();
  clock.advance(20, 5020);
  assert.equal(clock.toPage(10), 1010);
  assert.equal(clock.toPage(20), 5000);
  assert.equal(clock.sentMs, 40);
});

test("two crystals do not drift apart", () => {
  const clock = new SessionClock();
  for (let i = 1; i <= 180_000; i += 1) clock.advance(20, i * 20 * 1.0001); // an hour, 100 ppm: 360 ms
  assert.ok(Math.abs(clock.toPage(3_599_000) - 3_599_000 * 1.0001) < 2);
});

test("a new session counts from zero", () => {
  const clock = new SessionClock();
  clock.advance(20, 20);
  clock.reset();
  assert.equal(clock.sentMs, 0);
  assert.equal(clock.toPage(0), null);
});

test("the agent's track lies where it was played: split by an underrun, cut where it was interrupted", () => {
  const track = { startMs: 0, hopMs: 10, pitch: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] };
  const placements = [{ itemMs: 0, pageMs: 1000 }, { itemMs: 40, pageMs: 2000 }];
  assert.deepEqual(place(track, placements, 70), [
    { pageMs: 1000, hopMs: 10, pitch: [0, 1, 2, 3] },
    { pageMs: 2000, hopMs: 10, pitch: [4, 5, 6] },
  ]);
  assert.deepEqual(place(track, placements, 0), []);
  assert.deepEqual(place(track, [], 70), []);
});

test("a track that begins within the item keeps its distance", () => {
  const track = { startMs: 25, hopMs: 10, pitch: [1, 2, 3] };
  assert.deepEqual(place(track, [{ itemMs: 0, pageMs: 1000 }], 40), [{ pageMs: 1025, hopMs: 10, pitch: [1, 2] }]);
});

test("pieces on a grid: held for their hop, null where there is no pitch", () => {
  const pieces = [{ pageMs: 100, hopMs: 10, pitch: [5, null, 7] }];
  assert.deepEqual(grid(pieces, 90, 5, 10), [null, null, 5, 5, null, null, 7, 7, null, null]);
  assert.deepEqual(grid(pieces, 500, 5, 3), [null, null, null]);
});

test("the pitch axis holds everything, and at least an octave", () => {
  assert.equal(pitchSpan([{ pageMs: 0, hopMs: 10, pitch: [null] }]), null);
  assert.deepEqual(pitchSpan([{ pageMs: 0, hopMs: 10, pitch: [6, null, 8] }]), [0, 14]);
  const [low, high] = pitchSpan([{ pageMs: 0, hopMs: 10, pitch: [-10, 30] }]);
  assert.ok(low < -10 && high > 30);
});

test("text is cut at whole words", () => {
  assert.equal(cutText("one two three", 1), "one two three");
  assert.equal(cutText("one two three", 0), "");
  assert.equal(cutText("one two three", 0.45), "one");
  assert.equal(cutText("one two three", 7 / 13), "one two");
});
