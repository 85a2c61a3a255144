// The plots: pitch on the page's time axis, and one small chart for each feature.
import { measure } from "./conversation.js";
import { hertz } from "./features.js";
import { grid, pitchSpan, place } from "./tracks.js";
import vendored from "./vendor/uPlot.esm.js";

/** @type {any} */
const uPlot = vendored; // its types are not shipped

const FONT = "11px system-ui, sans-serif";
const LANE = 8; // CSS pixels: height of the bars that say who spoke

/** Colours come from the style sheet, so that light and dark are decided in one place. @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** @param {object} extra */
const axis = (extra) => ({
  font: FONT,
  stroke: () => colour("quiet"),
  grid: { stroke: () => colour("grid"), width: 1 },
  ticks: { show: false },
  gap: 3,
  ...extra,
});

/** Axis labels. @param {(value: number) => string} text */
const texts = (text) => (/** @type {any} */ _, /** @type {number[]} */ values) => values.map(text);

/** Keeps the plot as wide as its box. @param {HTMLElement} box @param {any} plot */
function followWidth(box, plot) {
  const resize = () => {
    const { clientWidth: width, clientHeight: height } = box;
    if (width > 0 && height > 0 && (plot.width !== width || plot.height !== height)) plot.setSize({ width, height });
  };
  new ResizeObserver(resize).observe(box);
}

/** Seconds -> m:ss. @param {number} seconds */
const clockText = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

export class PitchChart {
  /** @type {{user: [number, number][], agent: [number, number][]}} */
  #lanes = { user: [], agent: [] };
  /** Grows only: an axis that breathes with every word is hard to read. @type {[number, number] | null} */
  #reach = null;
  #span = [0, 18];
  #window = [0, 20];

  /** Every third semitone, or every sixth, above the lanes. */
  #splits = () => {
    const [low, high] = this.#reach ?? [0, 18];
    const step = high - low > 18 ? 6 : 3;
    const first = Math.ceil(low / step) * step;
    return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, at) => first + at * step);
  };

  /** @param {HTMLElement} box */
  constructor(box) {
    const line = (/** @type {string} */ name, /** @type {number} */ width) => ({
      stroke: () => colour(name), width, points: { show: false }, spanGaps: false,
    });
    this.plot = new uPlot({
      width: Math.max(200, box.clientWidth),
      height: Math.max(120, box.clientHeight),
      legend: { show: false },
      cursor: { show: false },
      padding: [6, 0, 0, 0],
      scales: { x: { time: false, range: () => this.#window }, y: { range: () => this.#span } },
      axes: [
        axis({ size: 20, space: 60, values: texts(clockText) }),
        axis({ size: 38, space: 24, splits: this.#splits, values: texts((st) => `${st} st`) }),
        axis({
          side: 1, scale: "y", size: 42, space: 24, splits: this.#splits, grid: { show: false },
          values: texts((st) => `${Math.round(hertz(st))} Hz`),
        }),
      ],
      series: [{}, line("user", 2), line("agent", 2.5)],
      hooks: { draw: [(/** @type {any} */ plot) => this.#drawLanes(plot)] },
    }, [[0, 1], [null, null], [null, null]], box);
    followWidth(box, this.plot);
  }

  /**
   * @param {readonly import("./conversation.js").Item[]} items
   * @param {number} fromMs @param {number} toMs  The window; page times.
   */
  draw(items, fromMs, toMs) {
    const shown = (/** @type {import("./tracks.js").Piece} */ { pageMs, hopMs, pitch }) =>
      pageMs < toMs && pageMs + hopMs * pitch.length > fromMs;
    const heard = items
      .flatMap((item) => (item.track ? place(item.track, item.placements, item.playedMs) : []))
      .filter(shown);
    const said = items.flatMap((item) => item.pieces).filter(shown);
    const count = Math.max(2, Math.min(2000, Math.round(this.plot.width * 1.5)));
    const step = (toMs - fromMs) / (count - 1);
    const times = Array.from({ length: count }, (_, at) => (fromMs + at * step) / 1000);
    this.#lanes = lanes(items, toMs);
    this.#window = [fromMs / 1000, toMs / 1000];
    const [low, high] = this.#fit(pitchSpan([...said, ...heard]));
    this.#span = [low - (high - low) * 0.22, high]; // room for the lanes
    this.plot.setData([times, grid(said, fromMs, step, count), grid(heard, fromMs, step, count)]);
  }

  redraw() {
    this.plot.redraw();
  }

  /** @param {[number, number] | null} span @returns {[number, number]} */
  #fit(span) {
    if (span && this.#reach) this.#reach = [Math.min(span[0], this.#reach[0]), Math.max(span[1], this.#reach[1])];
    else this.#reach ??= span;
    return this.#reach ?? [0, 18];
  }

  /** @param {any} plot */
  #drawLanes(plot) {
    const { ctx, bbox } = plot;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.font = `${9 * scale}px system-ui, sans-serif`;
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (const [row, who] of /** @type {const} */ ([[1, "user"], [0, "agent"]])) {
      const top = bbox.top + bbox.height - (row + 1) * (LANE + 3) * scale;
      ctx.fillStyle = colour("quiet");
      ctx.fillText(who === "user" ? "You" : "Agent", bbox.left - 5 * scale, top + (LANE / 2) * scale);
      ctx.fillStyle = colour(`${who}-soft`);
      ctx.strokeStyle = colour(who);
      ctx.lineWidth = scale;
      for (const [from, to] of this.#lanes[who]) {
        const left = Math.max(bbox.left, plot.valToPos(from / 1000, "x", true));
        const right = Math.min(bbox.left + bbox.width, plot.valToPos(to / 1000, "x", true));
        if (right <= left) continue;
        ctx.fillRect(left, top, right - left, LANE * scale);
        ctx.strokeRect(left, top, right - left, LANE * scale);
      }
    }
    ctx.restore();
  }
}

/** When each of the two spoke. @param {readonly import("./conversation.js").Item[]} items @param {number} nowMs */
function lanes(items, nowMs) {
  const user = items.flatMap(({ span }) => (span ? [/** @type {[number, number]} */ ([span.fromMs, span.toMs ?? nowMs])] : []));
  const agent = items.flatMap(({ placements, playedMs }) => placements.map(({ itemMs, pageMs }, at) => {
    const until = Math.min(playedMs, placements[at + 1]?.itemMs ?? Infinity);
    return /** @type {[number, number]} */ ([pageMs, pageMs + Math.max(0, until - itemMs)]);
  }));
  return { user, agent };
}

const SERIES = /** @type {const} */ (["user", "target", "realised"]);
const COLOURS = { user: "user", target: "target", realised: "agent" };

export class FeatureChart {
  /** @param {HTMLElement} box @param {string} feature @param {(at: number | null) => void} onHover Row of the turn. */
  constructor(box, feature, onHover) {
    this.feature = feature;
    this.reach = 2.5;
    const line = (/** @type {"user" | "target" | "realised"} */ name) => ({
      stroke: () => colour(COLOURS[name]),
      width: name === "target" ? 1.5 : 2,
      dash: name === "target" ? [4, 3] : undefined,
      points: { show: false },
    });
    this.plot = new uPlot({
      width: Math.max(100, box.clientWidth),
      height: Math.max(60, box.clientHeight),
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { setScale: false, x: false, y: false }, sync: { key: "turns" } },
      padding: [4, 8, 0, 0],
      scales: {
        x: { time: false, range: (/** @type {any} */ plot) => [0.6, Math.max(6, (plot.data[0].at(-1) ?? 0)) + 0.4] },
        y: { range: () => [-this.reach, this.reach] },
      },
      axes: [
        axis({ size: 18, space: 22, incrs: [1, 2, 5, 10, 20, 50, 100], grid: { show: false } }),
        axis({ size: 24, space: 16, incrs: [1, 2, 5, 10], values: texts((z) => (z > 0 ? `+${z}` : `${z}`.replace("-", "\u2212"))) }),
      ],
      series: [{}, ...SERIES.map(line)],
      hooks: {
        drawAxes: [drawZero],
        draw: [drawMarkers],
        setCursor: [(/** @type {any} */ plot) => onHover(plot.cursor.left >= 0 ? plot.cursor.idx ?? null : null)],
      },
    }, [[], [], [], []], box);
    followWidth(box, this.plot);
  }

  /** @param {readonly import("./conversation.js").Turn[]} turns */
  draw(turns) {
    const rows = turns.map((turn) => measure(turn, this.feature));
    const columns = SERIES.map((name) => rows.map((row) => row[name]));
    const largest = Math.max(0, ...columns.flat().map((z) => Math.abs(z ?? 0)));
    this.reach = Math.max(2.5, Math.ceil(largest + 0.25));
    this.plot.setData([turns.map((turn) => turn.number), ...columns]);
  }

  redraw() {
    this.plot.redraw();
  }
}

/** The speaker's average. @param {any} plot */
function drawZero(plot) {
  const { ctx, bbox } = plot;
  const y = Math.round(plot.valToPos(0, "y", true));
  ctx.save();
  ctx.strokeStyle = colour("line");
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** A shape for each series, so that colour is not all: disc, open diamond, square. @param {any} plot */
function drawMarkers(plot) {
  const { ctx, data } = plot;
  const size = 3.2 * devicePixelRatio;
  ctx.save();
  SERIES.forEach((name, at) => {
    ctx.fillStyle = name === "target" ? colour("card") : colour(COLOURS[name]);
    ctx.strokeStyle = name === "target" ? colour("target") : colour("card");
    ctx.lineWidth = devicePixelRatio * (name === "target" ? 1.4 : 1);
    for (const [i, value] of data[at + 1].entries()) {
      if (value === null) continue;
      shape(ctx, name, plot.valToPos(data[0][i], "x", true), plot.valToPos(value, "y", true), size);
      ctx.fill();
      ctx.stroke();
    }
  });
  ctx.restore();
}

/** @param {CanvasRenderingContext2D} ctx @param {string} name @param {number} x @param {number} y @param {number} r */
function shape(ctx, name, x, y, r) {
  ctx.beginPath();
  if (name === "user") ctx.arc(x, y, r, 0, 2 * Math.PI);
  else if (name === "realised") ctx.rect(x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r);
  else {
    ctx.moveTo(x, y - r);
    ctx.lineTo(x + r, y);
    ctx.lineTo(x, y + r);
    ctx.lineTo(x - r, y);
    ctx.closePath();
  }
}
