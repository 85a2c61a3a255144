// The session's audio clock on the page's: the server's times count samples sent, the page's axis is real time.

const RUN_MS = 10_000; // a run is re-anchored this often, so that two crystals cannot drift apart

/**
 * @typedef {object} Run  A stretch of audio sent without a gap.
 * @property {number} sessionMs  Where it begins, in audio sent.
 * @property {number} pageMs     When that sound was captured.
 */

export class SessionClock {
  constructor() {
    /** @type {Run[]} */
    this.runs = [];
    this.sentMs = 0;
    this.open = false;
  }

  /**
   * `ms` of audio, ending about `pageMs`, went out. Late arrivals only ever make a frame look later than it was, so the
   * earliest of a run is believed.
   * @param {number} ms @param {number} pageMs
   */
  advance(ms, pageMs) {
    const last = this.runs.at(-1);
    const began = pageMs - ms;
    if (!last || !this.open || this.sentMs - last.sessionMs >= RUN_MS) {
      this.runs.push({ sessionMs: this.sentMs, pageMs: began });
    } else {
      last.pageMs = Math.min(last.pageMs, began - (this.sentMs - last.sessionMs));
    }
    this.open = true;
    this.sentMs += ms;
  }

  /** Audio is no longer sent, or some was dropped: the next frame begins a new run. */
  pause() {
    this.open = false;
  }

  /** A new session counts from zero. */
  reset() {
    this.runs = [];
    this.sentMs = 0;
    this.open = false;
  }

  /** @param {number} sessionMs @returns {number | null} Null before any audio was sent. */
  toPage(sessionMs) {
    if (this.runs.length === 0) return null;
    let run = this.runs[0];
    for (const next of this.runs) if (next.sessionMs <= sessionMs) run = next;
    return run.pageMs + (sessionMs - run.sessionMs);
  }
}
