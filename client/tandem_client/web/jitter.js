// The playback buffer, without the audio graph: what is queued for each item, and exactly how much of it was played.
import { SAMPLE_RATE } from "./frame.js";

const MS = SAMPLE_RATE / 1000;
const LEAST = 80 * MS; // 100 ms had no underrun at 0-19 ms of network jitter, 60 ms had one in 8 s
const STEP = 40 * MS;
const MOST = 320 * MS;
const CALM = 20 * SAMPLE_RATE; // played without an underrun before the buffer is made shorter again
const FADE = 128; // samples faded out on a flush, so that stopping does not click: 5.3 ms

/**
 * @typedef {object} Queued
 * @property {string} id
 * @property {Float32Array[]} chunks
 * @property {number} queued   Samples waiting.
 * @property {number} played   Samples handed to the loudspeaker.
 * @property {boolean} closed  Nothing more will come.
 *
 * @typedef {{type: "started", item: string, sample: number, offset: number}
 *   | {type: "finished", item: string, sample: number, offset: number}} PlaybackNews
 *   `sample` is on the item's own clock, `offset` in the block just pulled. "started" comes again after an underrun.
 */

export class JitterBuffer {
  constructor() {
    /** @type {Queued[]} */
    this.items = [];
    this.running = false;
    this.prebuffer = LEAST;
    this.underruns = 0;
    this.calm = 0;
    /** @type {Float32Array} */
    this.tail = new Float32Array(0);
  }

  /** Samples waiting, all items. */
  get queued() {
    return this.items.reduce((sum, item) => sum + item.queued, 0);
  }

  /** Announces an item; its audio follows that of the items before it. @param {string} id */
  open(id) {
    if (!this.#find(id)) this.items.push({ id, chunks: [], queued: 0, played: 0, closed: false });
  }

  /** Audio of an item that was not announced, or was flushed, is dropped. @param {string} id @param {Float32Array} samples */
  push(id, samples) {
    const item = this.#find(id);
    if (!item || item.closed || samples.length === 0) return;
    item.chunks.push(samples);
    item.queued += samples.length;
  }

  /** No more audio of this item will come. @param {string} id */
  close(id) {
    const item = this.#find(id);
    if (item) item.closed = true;
  }

  /**
   * Fills `out`, with silence where there is nothing to play.
   * @param {Float32Array} out
   * @returns {PlaybackNews[]}
   */
  pull(out) {
    /** @type {PlaybackNews[]} */
    const news = [];
    let at = this.#drainTail(out);
    while (at < out.length && this.items.length > 0) {
      const item = this.items[0];
      if (!this.running) {
        if (item.queued < this.prebuffer && !item.closed) break;
        this.running = true;
        if (item.queued > 0) news.push({ type: "started", item: item.id, sample: item.played, offset: at });
      }
      at += this.#take(item, out.subarray(at));
      if (item.queued > 0) continue;
      this.running = false;
      if (item.closed) {
        news.push({ type: "finished", item: item.id, sample: item.played, offset: at });
        this.items.shift();
      } else if (at < out.length) {
        this.#underrun();
        break;
      } else {
        this.running = true; // the block ended with the data: no gap yet
        break;
      }
    }
    out.fill(0, at);
    return news;
  }

  /**
   * Drops everything. @returns {{item: string, played: number}[]} For each unfinished item, the samples that were, or
   * within the next 5 ms will be, heard.
   */
  flush() {
    const head = this.items[0];
    if (head && this.running) {
      const tail = new Float32Array(Math.min(FADE, head.queued));
      this.#take(head, tail);
      this.tail = tail.map((sample, i) => sample * (1 - i / FADE));
    }
    const heard = this.items.map((item) => ({ item: item.id, played: item.played }));
    this.items = [];
    this.running = false;
    return heard;
  }

  /** @param {string} id */
  #find(id) {
    return this.items.find((item) => item.id === id);
  }

  /** @param {Queued} item @param {Float32Array} out @returns {number} Samples copied. */
  #take(item, out) {
    let at = 0;
    while (at < out.length && item.chunks.length > 0) {
      const part = item.chunks[0].subarray(0, out.length - at);
      out.set(part, at);
      at += part.length;
      if (part.length === item.chunks[0].length) item.chunks.shift();
      else item.chunks[0] = item.chunks[0].subarray(part.length);
    }
    item.queued -= at;
    item.played += at;
    this.calm += at;
    if (this.calm >= CALM) {
      this.calm = 0;
      this.prebuffer = Math.max(LEAST, this.prebuffer - STEP);
    }
    return at;
  }

  /** @param {Float32Array} out */
  #drainTail(out) {
    const count = Math.min(this.tail.length, out.length);
    out.set(this.tail.subarray(0, count));
    this.tail = this.tail.subarray(count);
    return count;
  }

  #underrun() {
    this.underruns += 1;
    this.calm = 0;
    this.prebuffer = Math.min(MOST, this.prebuffer + STEP);
  }
}
