import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, fromBase64, toBase64 } from "../../../client/tandem_client/web/frame.js";

test("a frame comes back as it went", () => {
  const samples = Int16Array.from([0, 1, -1, 32767, -32768]);
  const frame = { kind: "input", sequence: 2 ** 32 - 1, timeMs: 12345.6789, samples };
  assert.deepEqual(decode(encode(frame)), frame);
});

test("the header is 16 bytes, little-endian: kind, version, reserved, sequence, time", () => {
  const bytes = new Uint8Array(encode({ kind: "output", sequence: 258, timeMs: 1, samples: Int16Array.of(1) }));
  assert.deepEqual([...bytes], [2, 1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 240, 63, 1, 0]);
});

test("anything but a whole frame of this version is refused", () => {
  const good = new Uint8Array(encode({ kind: "output", sequence: 0, timeMs: 0, samples: Int16Array.of(1, 2) }));
  const changed = (at, value) => good.with(at, value).buffer;
  assert.throws(() => decode(good.slice(0, 15).buffer), /no audio header/);
  assert.throws(() => decode(good.slice(0, 17).buffer), /half a sample/);
  assert.throws(() => decode(changed(0, 3)), /kind 3/);
  assert.throws(() => decode(changed(1, 2)), /version 2/);
  assert.throws(() => decode(changed(2, 1)), RangeError);
});

test("base64 carries every sample, also of buffers larger than one call's arguments", () => {
  const samples = Int16Array.from({ length: 30_000 }, (_, i) => (i * 7919) % 65536);
  assert.deepEqual(fromBase64(toBase64(samples)), samples);
  assert.equal(toBase64(Int16Array.of(1)), "AQA=");
});
