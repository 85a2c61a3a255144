// What the conversation shows so far: a table of measures, each with its effect, its p and its number of exchanges.
import { FEATURES } from "./features.js";
import { $, element } from "./view.js";

/**
 * @typedef {object} Measured  One entry of `measures` of `tandem.entrainment`.
 * @property {string} measure @property {string} responder @property {string} feature @property {number} n
 * @property {number | null} effect @property {number | null} p @property {number | null} p_adjusted
 *
 * @typedef {{needed: number, measures: Measured[]}} SoFar
 */

const COLUMNS = /** @type {const} */ ([
  ["synchrony", "agent", "Agent follows you", "Pearson's r of your turns and the agent's answers"],
  ["synchrony", "user", "You follow the agent", "Pearson's r of the agent's turns and your answers"],
  ["proximity", "agent", "Nearer than chance", "By how many z the agent's answers are nearer to what they answer than to your other turns"],
  ["convergence", "agent", "Growing alike", "Pearson's r of similarity with time"],
]);
const LEVEL = 0.05;

/** What a cell says: nothing before there is a test, and no sign of success that the test does not bear out.
 * @param {Measured | undefined} found @param {number} needed @returns {{value: string, note: string, state: string}} */
export function cell(found, needed) {
  if (!found || found.n < needed) return { value: "–", note: `${found?.n ?? 0} of ${needed}`, state: "early" };
  const { effect, p_adjusted: p } = found;
  if (effect === null || p === null) return { value: "–", note: "did not vary", state: "early" };
  const value = `${effect < 0 ? "−" : "+"}${Math.abs(effect).toFixed(2)}`;
  const chance = p < 0.001 ? "p < .001" : `p ${p.toFixed(3).replace(/^0/, "")}`;
  const state = p >= LEVEL ? "chance" : effect > 0 ? "towards" : "away";
  return { value, note: `${chance}, n ${found.n}`, state };
}

/** @type {SoFar | null | undefined} */
let shown;

/** @param {SoFar | null} soFar */
export function renderMeasures(soFar) {
  if (soFar === shown) return;
  shown = soFar;
  const head = element("tr", {}, element("th", { scope: "col" }, "Feature"),
    ...COLUMNS.map(([, , label, title]) => element("th", { scope: "col", title }, label)));
  const rows = FEATURES.map(({ name, label }) => element("tr", {}, element("th", { scope: "row" }, label),
    ...COLUMNS.map(([measure, responder]) => cellNode(soFar, measure, responder, name))));
  const caption = element("caption", { className: "hidden" }, "Entrainment so far: effect, adjusted p, number of exchanges");
  $("measures").replaceChildren(element("table", {}, caption, element("thead", {}, head), element("tbody", {}, ...rows)));
  const most = Math.max(0, ...(soFar?.measures ?? []).map(({ n }) => n));
  const needed = soFar?.needed ?? 8;
  $("measures-enough").textContent = most < needed
    ? `Not enough turns yet: a test takes ${needed} exchanges, there ${most === 1 ? "is 1" : `are ${most}`}.`
    : "p is adjusted for every test in this table. It changes from turn to turn: the one to report is that of the whole conversation.";
}

/** @param {SoFar | null} soFar @param {string} measure @param {string} responder @param {string} feature */
function cellNode(soFar, measure, responder, feature) {
  const found = soFar?.measures.find((one) =>
    one.measure === measure && one.responder === responder && one.feature === feature);
  const { value, note, state } = cell(found, soFar?.needed ?? 8);
  const words = { towards: "entrains", away: "moves away", chance: "", early: "" };
  const said = words[/** @type {keyof typeof words} */ (state)];
  return element("td", { className: state }, element("b", {}, value), element("small", {}, note),
    ...(said ? [element("span", { className: "verdict" }, said)] : []));
}
