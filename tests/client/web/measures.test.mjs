// What a cell of the table of measures may say.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cell } from "../../../client/tandem_client/web/measures.js";

const found = { measure: "synchrony", responder: "agent", feature: "rate", n: 12, effect: 0.613, p: 0.004, p_adjusted: 0.0312 };

test("before there are enough exchanges a cell counts them and claims nothing", () => {
  assert.deepEqual(cell({ ...found, n: 5, effect: null, p: null, p_adjusted: null }, 8), { value: "–", note: "5 of 8", state: "early" });
  assert.deepEqual(cell(undefined, 8), { value: "–", note: "0 of 8", state: "early" });
});

test("only what is left after adjustment is called entrainment, and its direction is said", () => {
  assert.deepEqual(cell(found, 8), { value: "+0.61", note: "p .031, n 12", state: "towards" });
  assert.deepEqual(cell({ ...found, effect: -0.5, p_adjusted: 0.0001 }, 8), { value: "−0.50", note: "p < .001, n 12", state: "away" });
  assert.deepEqual(cell({ ...found, p: 0.01, p_adjusted: 0.08 }, 8), { value: "+0.61", note: "p .080, n 12", state: "chance" });
});

test("a voice that did not vary has no correlation", () => {
  assert.equal(cell({ ...found, effect: null, p: null, p_adjusted: null }, 8).note, "did not vary");
});
