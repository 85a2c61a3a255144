// What the microphone captured while nothing could be sent: the newest ten seconds, oldest first. Pure.
import { toMs } from "./frame.js";

export const KEPT_MS = 10_000;

/**
 * @typedef {object} Captured
 * @property {Int16Array} samples
 * @property {number} timeMs  On the capture clock.
 * @property {number} pageMs  When it arrived, on the page's axis.
 */

export class KeptAudio {
  /** @type {Captured[]} */
  #frames = [];
  #ms = 0;

  get empty() {
    return this.#frames.length === 0;
  }

  /** Keeps a frame. @param {Captured} frame @returns {number} Frames that had to go for it: the oldest. */
  push(frame) {
    this.#frames.push(frame);
    this.#ms += toMs(frame.samples.length);
    let gone = 0;
    for (; this.#ms > KEPT_MS; gone += 1) this.shift();
    return gone;
  }

  /** Takes the oldest. @returns {Captured | undefined} */
  shift() {
    const frame = this.#frames.shift();
    if (frame) this.#ms -= toMs(frame.samples.length);
    return frame;
  }

  clear() {
    this.#frames = [];
    this.#ms = 0;
  }
}
