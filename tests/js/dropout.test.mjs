// DropoutLab's maths against torch (dropout_cases.json, made by make_cases.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { agreement, dropRemarks, expectation, maskOf, net, through } from "../../course/explorers/masks.js";

const cases = JSON.parse(readFileSync(new URL("./dropout_cases.json", import.meta.url)));
const close = (a, b) => Math.abs(a - b) <= 1e-7 * (1 + Math.abs(b));

test("one mask, the whole net and the mean over all masks equal torch's", () => {
  assert.ok(cases.length >= 200);
  for (const { settings, masks, out, whole, mean } of cases) {
    const layers = net(settings.units);
    assert.ok(close(through(layers, settings.x, settings, masks)[3][0], out), JSON.stringify(settings));
    assert.ok(close(through(layers, settings.x, settings, null)[3][0], whole), JSON.stringify(settings));
    assert.ok(close(expectation(layers, settings.x, settings), mean), JSON.stringify(settings));
  }
});

test("between linear units the mean over all masks is the scaled net, to the last digit that counts", () => {
  for (const { settings, mean, whole } of cases) if (settings.activation === "linear") assert.ok(Math.abs(mean - whole) < 1e-8);
  assert.ok(cases.some(({ settings, mean, whole }) => settings.activation === "relu" && Math.abs(mean - whole) > 1e-3));
});

test("masks drop about as many units as p says, each layer and unit alike", () => {
  for (const p of [0, 0.2, 0.5, 1]) {
    const kept = Array(10).fill(0);
    for (let n = 0; n < 2000; n++) maskOf(n, 5, p).flat().forEach((bit, unit) => { kept[unit] += bit / 2000; });
    for (const share of kept) assert.ok(Math.abs(share - (1 - p)) < 0.05, `${p}: ${kept}`);
  }
});

test("a p that is no probability and a net too large to count are explained", () => {
  const kinds = (odd) => dropRemarks({ p: 0.5, units: 5, masks: 10, x: [0, 0, 0], ...odd }).map(([kind]) => kind);
  assert.deepEqual(kinds({}), []);
  assert.deepEqual(kinds({ p: 1.2 }), ["error"]);
  assert.deepEqual(kinds({ units: 7 }), ["error"]);
  assert.deepEqual(kinds({ p: 1 }), ["note"]);
});

test("what is said of the average fits p, the units and the numbers", () => {
  const said = (odd, mean = 1, whole = 1) => agreement({ p: 0.5, activation: "relu", inverted: true, ...odd }, mean, whole).join("; ");
  for (const { settings, mean, whole } of cases) assert.equal(said(settings, mean, whole).includes("exactly"), Math.abs(mean - whole) < 1e-8);
  assert.match(said({}, 1, 2), /nearly: ReLU bends/);
  assert.match(said({}), /exactly here, though ReLU bends/);
  assert.match(said({ activation: "linear" }), /exactly: between linear units/);
  assert.match(said({ p: 0 }), /exactly: nothing is dropped/);
  assert.match(said({ p: 1, inverted: false }), /exactly: everything is dropped/);
  assert.match(said({ p: 1, activation: "linear" }, -0.25, 0.7188), /1 \/ \(1 − 1\) has no value: .*; average of all masks = the output’s bias, not the whole net/);
});
