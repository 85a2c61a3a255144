// Pitch tracks on the page's time axis: pieces of pitch, cut to what was heard, on a common grid for the chart.

/**
 * @typedef {object} Piece
 * @property {number} pageMs
 * @property {number} hopMs
 * @property {(number | null)[]} pitch  Semitones re 100 Hz; null is unvoiced.
 *
 * @typedef {object} Placement  From here on, the item's audio sounded without a gap.
 * @property {number} itemMs
 * @property {number} pageMs
 */

/**
 * An agent's track where it was played: one piece for each stretch between underruns, up to what was heard.
 * @param {{startMs: number, hopMs: number, pitch: (number | null)[]}} track  On the item's own clock.
 * @param {readonly Placement[]} placements
 * @param {number} playedMs
 * @returns {Piece[]}
 */
export function place(track, placements, playedMs) {
  return placements.flatMap(({ itemMs, pageMs }, at) => {
    const until = Math.min(playedMs, placements[at + 1]?.itemMs ?? Infinity);
    const first = Math.max(0, Math.ceil((itemMs - track.startMs) / track.hopMs));
    const end = Math.max(first, Math.ceil((until - track.startMs) / track.hopMs));
    const pitch = track.pitch.slice(first, end);
    if (pitch.length === 0) return [];
    return [{ pageMs: pageMs + track.startMs + first * track.hopMs - itemMs, hopMs: track.hopMs, pitch }];
  });
}

/**
 * @param {readonly Piece[]} pieces
 * @param {number} fromMs @param {number} stepMs @param {number} count
 * @returns {(number | null)[]} `count` values from `fromMs`; null where nobody has a pitch.
 */
export function grid(pieces, fromMs, stepMs, count) {
  /** @type {(number | null)[]} */
  const values = new Array(count).fill(null);
  for (const { pageMs, hopMs, pitch } of pieces) {
    const first = Math.max(0, Math.ceil((pageMs - fromMs) / stepMs));
    const last = Math.min(count - 1, Math.floor((pageMs + pitch.length * hopMs - fromMs) / stepMs));
    for (let at = first; at <= last; at += 1) {
      const value = pitch[Math.floor((fromMs + at * stepMs - pageMs) / hopMs)];
      if (value !== undefined && value !== null) values[at] = value;
    }
  }
  return values;
}

/**
 * The semitones that hold all pieces with a margin, at least an octave; null without any pitch.
 * @param {readonly Piece[]} pieces
 * @returns {[number, number] | null}
 */
export function pitchSpan(pieces) {
  let low = Infinity;
  let high = -Infinity;
  for (const { pitch } of pieces) {
    for (const value of pitch) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return null;
  const middle = (low + high) / 2;
  const half = Math.max(7, (high - low) / 2 + 1.5);
  return [Math.floor(middle - half), Math.ceil(middle + half)];
}
