// A streaming windowed-sinc resampler, for browsers that refuse to open the microphone at 24 kHz (Firefox).

const ZEROS = 16; // zero crossings of the sinc on each side
const BETA = 8.6; // Kaiser window: stop band about -85 dB
const PASS = 0.92; // share of the lower Nyquist frequency that passes

/** Modified Bessel function of order 0, by its series. @param {number} x */
function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** @param {number} a @param {number} b @returns {number} */
const gcd = (a, b) => (b ? gcd(b, a % b) : a);

/** Phases of the low-pass: `up` rows of `taps` weights each, each row summing to 1. */
function polyphase(/** @type {number} */ up, /** @type {number} */ down) {
  const cutoff = PASS * Math.min(1, up / down); // of the input's Nyquist frequency
  const half = Math.ceil(ZEROS / cutoff);
  const taps = 2 * half;
  const rows = Array.from({ length: up }, (_, phase) => {
    const row = new Float32Array(taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const x = tap - half + 1 - phase / up; // distance from the output sample, in input samples
      const shape = Math.max(0, 1 - (x / half) ** 2);
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
      row[tap] = (sinc * bessel(BETA * Math.sqrt(shape))) / bessel(BETA);
      sum += row[tap];
    }
    return row.map((weight) => weight / sum);
  });
  return { rows, taps };
}

export class Resampler {
  /** @param {number} from Hz @param {number} to Hz */
  constructor(from, to) {
    const common = gcd(from, to);
    this.up = to / common;
    this.down = from / common;
    const { rows, taps } = polyphase(this.up, this.down);
    this.rows = rows;
    this.taps = taps;
    this.held = new Float32Array(taps - 1); // input not yet used up; starts as silence
    this.phase = 0; // position of the next output between two input samples, in 1/up
  }

  /**
   * Consumes all of `input`, returns whatever is complete. Delay: half the taps, under 2 ms.
   * @param {Float32Array} input
   */
  push(input) {
    const { rows, taps, up, down } = this;
    const line = new Float32Array(this.held.length + input.length);
    line.set(this.held);
    line.set(input, this.held.length);
    const output = new Float32Array(Math.ceil(((line.length + 1) * up) / down) + 1);
    let count = 0;
    let start = 0;
    while (start + taps <= line.length) {
      const row = rows[this.phase];
      let sum = 0;
      for (let tap = 0; tap < taps; tap += 1) sum += row[tap] * line[start + tap];
      output[count] = sum;
      count += 1;
      this.phase += down;
      start += Math.floor(this.phase / up);
      this.phase %= up;
    }
    this.held = line.slice(start); // a step is shorter than the taps, so `start` lies within the line
    return output.subarray(0, count);
  }
}
