// From the audio graph's blocks to wire frames: mix to mono, resample if need be, cut into 20 ms of pcm16.
import { FRAME_SAMPLES, SAMPLE_RATE } from "./frame.js";
import { Resampler } from "./resample.js";

/**
 * @typedef {object} Captured
 * @property {Int16Array} samples  One frame.
 * @property {number} level        RMS of the frame, 0 to 1.
 */

export class Framer {
  /** @param {number} rate Hz of the audio graph. */
  constructor(rate) {
    this.resampler = rate === SAMPLE_RATE ? null : new Resampler(rate, SAMPLE_RATE);
    this.frame = new Int16Array(FRAME_SAMPLES);
    this.filled = 0;
    this.energy = 0;
  }

  /**
   * @param {Float32Array[]} channels One block; may be empty while no source is connected.
   * @returns {Captured[]} Frames completed by it.
   */
  push(channels) {
    if (channels.length === 0) return [];
    const mono = mix(channels);
    const samples = this.resampler ? this.resampler.push(mono) : mono;
    const done = [];
    for (const sample of samples) {
      const clipped = Math.max(-1, Math.min(1, sample));
      this.frame[this.filled] = Math.max(-32768, Math.min(32767, Math.round(clipped * 32768)));
      this.energy += clipped * clipped;
      this.filled += 1;
      if (this.filled === FRAME_SAMPLES) done.push(this.#finish());
    }
    return done;
  }

  #finish() {
    const captured = { samples: this.frame, level: Math.sqrt(this.energy / FRAME_SAMPLES) };
    this.frame = new Int16Array(FRAME_SAMPLES); // the old one is given away
    this.filled = 0;
    this.energy = 0;
    return captured;
  }
}

/** Mean of the channels. @param {Float32Array[]} channels */
function mix(channels) {
  if (channels.length === 1) return channels[0];
  const mono = new Float32Array(channels[0].length);
  for (const channel of channels) for (let i = 0; i < mono.length; i += 1) mono[i] += channel[i] / channels.length;
  return mono;
}
