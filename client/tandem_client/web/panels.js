// The instrument side of the page: settings form, feature cards, table of turns, latency, engines, sound path.
import { FeatureChart } from "./charts.js";
import { measure } from "./conversation.js";
import { FEATURES, NAMES } from "./features.js";
import { $, element, setText } from "./view.js";

/** @typedef {import("./settings.js").Settings} Settings */

const STRATEGIES = [
  { id: "neutral", description: "The voice speaks its own way." },
  { id: "match", description: "The voice moves towards how you speak." },
  { id: "rule", description: "The voice follows fixed rules of global and local weights." },
  { id: "neural", description: "The voice does what a trained model expects of a person." },
  { id: "anti", description: "The voice moves away from how you speak." },
];
const PROCESSING = /** @type {const} */ (["echoCancellation", "noiseSuppression", "autoGainControl"]);

/** z with a sign, or a dash for missing. @param {number | null} z */
const signed = (z) => (z === null ? "–" : `${z < 0 ? "\u2212" : "+"}${Math.abs(z).toFixed(2)}`);

/** @param {number | null | undefined} value */
const plainNumber = (value) => (value === null || value === undefined ? "–" : value.toFixed(2).replace("-", "\u2212"));

// ---- settings ----------------------------------------------------------------------------------------------------

/** @param {{id: string, description: string}[]} [strategies] As the server lists them. */
export function makeStrategies(strategies = STRATEGIES) {
  $("strategies").replaceChildren(...strategies.map(({ id, description }) => element(
    "label", { title: description },
    element("input", { type: "radio", name: "strategy", value: id }),
    element("span", {}, id),
  )));
}

export function makeFeatures() {
  $("features").replaceChildren(...FEATURES.map(({ name, label }) => element(
    "label", {}, element("input", { type: "checkbox", name: "feature", value: name }), element("span", {}, label),
  )));
}

/** How the voice entrains: what the person chose, else what the server says. @param {Settings} settings @param {any} inForce */
export function writeEntrainment(settings, inForce) {
  const strategy = settings.strategy ?? inForce?.strategy;
  const strength = settings.strength ?? inForce?.strength ?? 1;
  const features = settings.features ?? inForce?.features ?? NAMES;
  for (const box of $("strategies").querySelectorAll("input")) box.checked = box.value === strategy;
  for (const box of $("features").querySelectorAll("input")) box.checked = features.includes(box.value);
  $("strength").value = String(strength);
  setText($("strength-value"), strength.toFixed(2));
}

/** @param {Settings} settings */
export function writeSettings(settings) {
  $("user-id").value = settings.userId;
  $("audio-frames").value = settings.audioFrames;
  $("silence").value = String(settings.silenceMs);
  for (const name of PROCESSING) processingBox(name).checked = settings.processing[name];
  const on = PROCESSING.filter((name) => settings.processing[name]).length;
  setupBox("speakers").checked = on === PROCESSING.length;
  setupBox("headset").checked = on === 0;
}

/**
 * @param {Settings} settings The ones to start from.
 * @param {any} touched The control that the person used: of how the voice entrains only that is a choice.
 * @returns {Settings}
 */
export function readSettings(settings, touched) {
  const features = [...$("features").querySelectorAll("input:checked")].map((box) => box.value);
  const silence = Math.round(Number($("silence").value));
  return {
    strategy: touched.name === "strategy" ? touched.value : settings.strategy,
    strength: touched.id === "strength" ? Number(touched.value) : settings.strength,
    features: touched.name === "feature" ? NAMES.filter((name) => features.includes(name)) : settings.features,
    userId: $("user-id").value,
    audioFrames: $("audio-frames").value,
    silenceMs: silence >= 100 && silence <= 5000 ? silence : settings.silenceMs,
    processing: {
      echoCancellation: processingBox("echoCancellation").checked,
      noiseSuppression: processingBox("noiseSuppression").checked,
      autoGainControl: processingBox("autoGainControl").checked,
    },
  };
}

/** Loudspeakers: all processing on. Headset or research: none. @param {boolean} on */
export function setProcessing(on) {
  for (const name of PROCESSING) processingBox(name).checked = on;
}

/** @param {string} name @returns {any} */
const processingBox = (name) => document.querySelector(`input[name="${name}"]`);

/** @param {string} value @returns {any} */
const setupBox = (value) => document.querySelector(`input[name="setup"][value="${value}"]`);

/** What the server says that it does. @param {any} tandem */
export function renderInForce(tandem) {
  if (!tandem) return setText($("in-force"), "");
  const count = tandem.features.length;
  const moving = count === NAMES.length ? "all features" : count === 0 ? "no feature" : `${count} of ${NAMES.length} features`;
  const who = tandem.user_id ? `, remembered as ${tandem.user_id}` : "";
  setText($("in-force"), `In force: ${tandem.strategy}, strength ${tandem.strength.toFixed(2)}, ${moving}${who}.`);
}

// ---- turns -------------------------------------------------------------------------------------------------------

export class Turns {
  /** @type {{chart: FeatureChart, reading: HTMLElement}[]} */
  #cards = [];
  /** @type {readonly import("./conversation.js").Turn[]} */
  #turns = [];

  constructor() {
    for (const { name, label, unit } of FEATURES) {
      const reading = element("output", { title: "You, target, realised" });
      const box = element("div", { className: "plot" });
      const head = element("header", {}, element("h3", { title: unit }, label), reading);
      $("charts").append(element("div", { className: "multiple" }, head, box));
      const chart = new FeatureChart(box, name, (at) => this.#read(reading, name, at));
      this.#cards.push({ chart, reading });
    }
  }

  /** @param {readonly import("./conversation.js").Turn[]} turns */
  render(turns) {
    if (turns === this.#turns) return;
    this.#turns = turns;
    for (const { chart, reading } of this.#cards) {
      chart.draw(turns);
      this.#read(reading, chart.feature, null);
    }
    $("table").replaceChildren(table(turns));
  }

  redraw() {
    for (const { chart } of this.#cards) chart.redraw();
  }

  /** The numbers of the turn under the pointer, else of the last one. */
  #read(/** @type {HTMLElement} */ box, /** @type {string} */ feature, /** @type {number | null} */ at) {
    const turn = this.#turns.at(at ?? -1);
    const values = turn ? measure(turn, feature) : null;
    if (!values) return box.replaceChildren();
    box.replaceChildren(...(/** @type {const} */ ([["user", "user"], ["target", "target"], ["agent", "realised"]])).map(
      ([key, name]) => element("span", { className: key }, signed(values[name])),
    ));
  }
}

const COLUMNS = ["Turn", "Feature", "You", "Target", "Realised", "Distance", "Your value", "Agent's value", "Unit"];

/** @param {readonly import("./conversation.js").Turn[]} turns */
function table(turns) {
  const head = element("tr", {}, ...COLUMNS.map((name) => element("th", { scope: "col" }, name)));
  const caption = element("caption", {}, "Every turn and feature: in z, then in the feature's own unit; – is missing");
  if (turns.length === 0) {
    const row = element("tr", {}, element("td", { colSpan: COLUMNS.length }, "No turn yet."));
    return element("table", {}, caption, element("thead", {}, head), element("tbody", {}, row));
  }
  return element("table", {}, caption, element("thead", {}, head), ...turns.map(turnBody));
}

/** @param {import("./conversation.js").Turn} turn */
function turnBody(turn) {
  const rows = FEATURES.map(({ name, label, unit }, at) => {
    const { user, target, realised, distance } = measure(turn, name);
    const said = plainNumber(turn.user?.features[name]);
    const spoken = plainNumber(turn.realised?.features[name]);
    const cells = [signed(user), signed(target), signed(realised), plainNumber(distance), said, spoken, unit];
    const number = at > 0 ? [] : [element("th", { scope: "rowgroup", rowSpan: FEATURES.length }, `${turn.number}`,
      element("small", {}, turn.strategy ?? ""))];
    return element("tr", {}, ...number, element("th", { scope: "row" }, label),
      ...cells.map((cell) => element("td", {}, cell)));
  });
  return element("tbody", {}, ...rows);
}

// ---- engines, latency, sound -------------------------------------------------------------------------------------

const STAGES = /** @type {const} */ ([
  ["vad", "VAD"], ["asr", "ASR"], ["turn", "Ends of turns"], ["response", "Response"], ["voice", "Voice"],
]);

/** @param {any} engines The answer of /v1/engines. */
export function renderEngines(engines) {
  $("engines").replaceChildren(...STAGES.map(([key, label]) => element(
    "div", {}, element("dt", {}, label), element("dd", {}, String(engines[key] ?? "–")),
  )));
  $("notes").replaceChildren(...(engines.notes ?? []).map((/** @type {string} */ note) => element("li", {}, note)));
}

/** @param {Record<string, number> | null} stages Milliseconds. */
export function renderLatency(stages) {
  const entries = Object.entries(stages ?? {});
  const most = Math.max(1, ...entries.map(([, ms]) => ms));
  if (entries.length === 0) return $("latency").replaceChildren(element("div", { className: "none" }, "No reply yet."));
  return $("latency").replaceChildren(...entries.map(([stage, ms]) => {
    const bar = element("i", { ariaHidden: "true" });
    bar.style.width = `${(100 * Math.max(0, ms)) / most}%`;
    const name = stage.replace(/_ms$/, "").replaceAll("_", " ");
    const value = element("b", {}, `${Math.round(ms)} ms`);
    return element("div", {}, element("dt", {}, name), element("dd", {}, value, element("span", { className: "track" }, bar)));
  }));
}

/** @param {any} track What `Microphone.settings` says. */
export function renderTrack(track) {
  if (!track) return setText($("track"), "Not recording.");
  const word = (/** @type {any} */ on) => (on === undefined ? "unknown" : on ? "on" : "off");
  const rate = track.resampled ? `${track.graphRate} Hz, resampled to 24000 Hz on this page` : "24000 Hz";
  setText($("track"), `In force on ${track.label || "the microphone"}: echo cancellation ${word(track.echoCancellation)}, `
    + `noise suppression ${word(track.noiseSuppression)}, automatic gain ${word(track.autoGainControl)}. ${rate}.`);
}

/** @param {[string, string][]} facts */
export function renderPath(facts) {
  const list = $("path");
  if (list.childElementCount !== facts.length) {
    list.replaceChildren(...facts.map(([name]) => element("div", {}, element("dt", {}, name), element("dd"))));
  }
  facts.forEach(([, value], at) => setText(list.children[at].lastElementChild, value));
}
