import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_SAMPLES } from "../../../client/tandem_client/web/frame.js";
import { Framer } from "../../../client/tandem_client/web/framer.js";
import { Resampler } from "../../../client/tandem_client/web/resample.js";

const sine = (hz, rate, seconds) =>
  Float32Array.from({ length: rate * seconds }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate));

function inBlocks(resampler, input, size = 128) {
  const parts = [];
  for (let at = 0; at < input.length; at += size) parts.push(...resampler.push(input.subarray(at, at + size)));
  return parts;
}

/** What is left, in dB re the sine, when the best sine of that frequency is taken away; the ends are left out. */
function residualDb(output, hz, rate) {
  const middle = output.slice(rate / 10, -rate / 10);
  let [ss, sc, cc, sy, cy, yy] = [0, 0, 0, 0, 0, 0];
  middle.forEach((y, i) => {
    const [s, c] = [Math.sin((2 * Math.PI * hz * i) / rate), Math.cos((2 * Math.PI * hz * i) / rate)];
    ss += s * s; sc += s * c; cc += c * c; sy += s * y; cy += c * y; yy += y * y;
  });
  const det = ss * cc - sc * sc;
  const [a, b] = [(sy * cc - cy * sc) / det, (cy * ss - sy * sc) / det];
  const explained = a * sy + b * cy;
  return { residual: 10 * Math.log10(Math.max(yy - explained, 1e-12) / explained), amplitude: Math.hypot(a, b) };
}

for (const rate of [8000, 16000, 44100, 48000, 96000]) {
  test(`${rate} Hz to 24 kHz keeps a 1 kHz tone`, () => {
    const output = inBlocks(new Resampler(rate, 24000), sine(1000, rate, 1));
    const { residual, amplitude } = residualDb(output, 1000, 24000);
    assert.ok(residual < -70, `residual ${residual} dB`);
    assert.ok(Math.abs(amplitude - 0.5) < 0.002, `amplitude ${amplitude}`);
    assert.ok(Math.abs(output.length - 24000) <= 60, `${output.length} samples`);
  });
}

test("what lies above 12 kHz does not fold back", () => {
  const output = inBlocks(new Resampler(48000, 24000), sine(13500, 48000, 1)).slice(2400, -2400);
  const rms = Math.sqrt(output.reduce((sum, y) => sum + y * y, 0) / output.length);
  assert.ok(20 * Math.log10(rms / 0.3536) < -70, `${20 * Math.log10(rms / 0.3536)} dB`);
});

test("the size of the blocks changes nothing", () => {
  const input = sine(440, 44100, 0.3);
  assert.deepEqual(inBlocks(new Resampler(44100, 24000), input, 128), inBlocks(new Resampler(44100, 24000), input, 1001));
});

test("blocks of 128 become frames of 20 ms, no sample lost or used twice", () => {
  const framer = new Framer(24000);
  const input = Float32Array.from({ length: FRAME_SAMPLES * 4 }, (_, i) => (i - 900) / 32768);
  const frames = [];
  for (let at = 0; at < input.length; at += 128) frames.push(...framer.push([input.subarray(at, at + 128)]));
  assert.equal(frames.length, 4);
  assert.deepEqual(frames.flatMap(({ samples }) => [...samples]), Array.from(input, (_, i) => i - 900));
  assert.notEqual(frames[0].samples.buffer, frames[1].samples.buffer);
});

test("channels are averaged, loud samples clipped, the level is the RMS", () => {
  const framer = new Framer(24000);
  const one = new Float32Array(FRAME_SAMPLES).fill(0.5);
  const [mixed] = framer.push([one, new Float32Array(FRAME_SAMPLES)]);
  assert.equal(mixed.samples[0], 8192);
  assert.equal(mixed.level, 0.25);
  const [loud] = framer.push([new Float32Array(FRAME_SAMPLES).fill(3)]);
  assert.equal(loud.samples[0], 32767);
  assert.deepEqual(framer.push([]), []);
});
