// Audio on the wire: the binary frame of server/tandem_server/contract.py (`AudioFrame`), and base64 for JSON events.

export const SAMPLE_RATE = 24000;
export const FRAME_SAMPLES = SAMPLE_RATE / 50; // 20 ms
export const HEADER_BYTES = 16; // kind u8, version u8, reserved u16, sequence u32, time f64; little-endian

const VERSION = 1;
const KINDS = Object.freeze({ input: 1, output: 2 });

/** Samples -> milliseconds. @param {number} samples */
export const toMs = (samples) => (samples * 1000) / SAMPLE_RATE;

/**
 * @typedef {object} AudioFrame
 * @property {"input" | "output"} kind
 * @property {number} sequence
 * @property {number} timeMs    Input: the capture clock. Output: audio of the content part before this frame.
 * @property {Int16Array} samples  Mono, 24 kHz.
 */

/**
 * @param {AudioFrame} frame
 * @returns {ArrayBuffer}
 */
export function encode({ kind, sequence, timeMs, samples }) {
  const buffer = new ArrayBuffer(HEADER_BYTES + samples.byteLength);
  const view = new DataView(buffer);
  view.setUint8(0, KINDS[kind]);
  view.setUint8(1, VERSION);
  view.setUint32(4, sequence >>> 0, true);
  view.setFloat64(8, timeMs, true);
  new Int16Array(buffer, HEADER_BYTES).set(samples); // browsers run on little-endian machines only
  return buffer;
}

/**
 * @param {ArrayBuffer} buffer
 * @returns {AudioFrame}
 * @throws {RangeError} for anything but a whole frame of this version.
 */
export function decode(buffer) {
  if (buffer.byteLength < HEADER_BYTES) throw new RangeError(`${buffer.byteLength} bytes hold no audio header`);
  const view = new DataView(buffer);
  const number = view.getUint8(0);
  const kind = number === KINDS.input ? "input" : number === KINDS.output ? "output" : null;
  if (kind === null || view.getUint8(1) !== VERSION || view.getUint16(2, true) !== 0) {
    throw new RangeError(`unknown audio frame (kind ${number}, version ${view.getUint8(1)})`);
  }
  if (buffer.byteLength % 2) throw new RangeError("a binary audio frame holds half a sample");
  const samples = new Int16Array(buffer, HEADER_BYTES);
  return { kind, sequence: view.getUint32(4, true), timeMs: view.getFloat64(8, true), samples };
}

/** pcm16 -> base64, for `input_audio_buffer.append`. @param {Int16Array} samples */
export function toBase64(samples) {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** base64 -> pcm16, for `response.output_audio.delta`. @param {string} text */
export function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length & ~1);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = binary.charCodeAt(at);
  return new Int16Array(bytes.buffer);
}
