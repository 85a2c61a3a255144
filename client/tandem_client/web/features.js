// The prosody registry as the page needs it; tests/client compares it with models/tandem_models/prosody.py.

/**
 * @typedef {object} Feature
 * @property {string} name   Name on the wire.
 * @property {string} label  Name for people.
 * @property {string} unit   Unit of the stored value.
 */

/** @type {readonly Feature[]} */
export const FEATURES = Object.freeze([
  { name: "pitch_mean", label: "Pitch", unit: "st re 100 Hz" },
  { name: "pitch_range", label: "Pitch range", unit: "st (q95-q05)" },
  { name: "intensity_mean", label: "Loudness", unit: "dB" },
  { name: "intensity_range", label: "Loudness range", unit: "dB (q95-q05)" },
  { name: "jitter", label: "Jitter", unit: "ln ratio" },
  { name: "shimmer", label: "Shimmer", unit: "ln ratio" },
  { name: "hnr", label: "Harmonicity", unit: "dB" },
  { name: "rate", label: "Speaking rate", unit: "ln syllables/s" },
]);

export const NAMES = Object.freeze(FEATURES.map((feature) => feature.name));

/** Semitones re 100 Hz -> Hz. @param {number} semitones */
export const hertz = (semitones) => 100 * 2 ** (semitones / 12);
