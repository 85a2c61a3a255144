import assert from "node:assert/strict";
import { test } from "node:test";
import { JitterBuffer } from "../../../client/tandem_client/web/jitter.js";

const MS = 24;
const BLOCK = 128;
const audio = (ms, value = 0.5) => new Float32Array(ms * MS).fill(value);

/** Pulls `ms` of blocks. */
function play(buffer, ms) {
  const news = [];
  const heard = [];
  for (let at = 0; at < ms * MS; at += BLOCK) {
    const out = new Float32Array(BLOCK).fill(9);
    news.push(...buffer.pull(out));
    heard.push(...out);
  }
  return { news, heard };
}

test("nothing sounds before 80 ms are there", () => {
  const buffer = new JitterBuffer();
  buffer.open("a");
  buffer.push("a", audio(79));
  assert.deepEqual(play(buffer, 40), { news: [], heard: new Array(play(new JitterBuffer(), 40).heard.length).fill(0) });
  buffer.push("a", audio(1));
  const { news, heard } = play(buffer, 10);
  assert.deepEqual(news, [{ type: "started", item: "a", sample: 0, offset: 0 }]);
  assert.equal(heard[0], 0.5);
});

test("a short item sounds as soon as it is complete, and says where it ended", () => {
  const buffer = new JitterBuffer();
  buffer.open("a");
  buffer.push("a", audio(10));
  buffer.close("a");
  const { news, heard } = play(buffer, 20);
  assert.deepEqual(news, [
    { type: "started", item: "a", sample: 0, offset: 0 },
    { type: "finished", item: "a", sample: 240, offset: 112 },
  ]);
  assert.equal(heard.filter((sample) => sample !== 0).length, 240);
});

test("an item follows the one before without a gap when its audio is there", () => {
  const buffer = new JitterBuffer();
  for (const id of ["a", "b"]) {
    buffer.open(id);
    buffer.push(id, audio(100));
    buffer.close(id);
  }
  const { news, heard } = play(buffer, 210);
  assert.deepEqual(news.map(({ type, item }) => `${item} ${type}`), ["a started", "a finished", "b started", "b finished"]);
  assert.equal(news[1].offset, news[2].offset);
  assert.ok(heard.slice(0, 200 * MS).every((sample) => sample === 0.5));
});

test("an underrun is counted, lengthens the buffer, and the position goes on where it was", () => {
  const buffer = new JitterBuffer();
  buffer.open("a");
  buffer.push("a", audio(80));
  play(buffer, 100);
  assert.equal(buffer.underruns, 1);
  assert.equal(buffer.prebuffer, 120 * MS);
  buffer.push("a", audio(119));
  assert.deepEqual(play(buffer, 10).news, []);
  buffer.push("a", audio(1));
  assert.deepEqual(play(buffer, 10).news, [{ type: "started", item: "a", sample: 80 * MS, offset: 0 }]);
});

test("audio that ends with the block is no underrun yet", () => {
  const buffer = new JitterBuffer();
  buffer.open("a");
  buffer.push("a", audio(80)); // 15 blocks exactly
  for (let i = 0; i < 15; i += 1) buffer.pull(new Float32Array(BLOCK));
  assert.equal(buffer.underruns, 0);
  buffer.push("a", audio(10));
  const out = new Float32Array(BLOCK);
  assert.deepEqual(buffer.pull(out), []);
  assert.equal(out[0], 0.5);
});

test("after 20 s of calm the buffer is shorter again, never under 80 ms", () => {
  const buffer = new JitterBuffer();
  buffer.open("a");
  buffer.push("a", audio(80));
  play(buffer, 100);
  buffer.push("a", audio(45_000));
  play(buffer, 21_000);
  assert.equal(buffer.prebuffer, 80 * MS);
  play(buffer, 21_000);
  assert.equal(buffer.prebuffer, 80 * MS);
});

test("a flush fades within one block, counts exactly what is heard, and drops what comes late", () => {
  const buffer = new JitterBuffer();
  for (const id of ["a", "b"]) {
    buffer.open(id);
    buffer.push(id, audio(500));
  }
  for (let i = 0; i < 10; i += 1) buffer.pull(new Float32Array(BLOCK));
  assert.deepEqual(buffer.flush(), [{ item: "a", played: 11 * BLOCK }, { item: "b", played: 0 }]);
  buffer.push("a", audio(500));
  const { news, heard } = play(buffer, 50);
  assert.deepEqual(news, []);
  assert.ok(heard[0] > 0.49 && heard[127] > 0 && heard[127] < 0.01);
  assert.ok(heard.slice(BLOCK).every((sample) => sample === 0));
  assert.deepEqual(buffer.flush(), []);
});

test("an item that is unknown or complete takes no audio", () => {
  const buffer = new JitterBuffer();
  buffer.push("a", audio(500));
  buffer.open("b");
  buffer.close("b");
  buffer.push("b", audio(500));
  assert.equal(buffer.queued, 0);
});
