// The convolution's maths against torch's answers (conv_cases.json, made by make_cases.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { constructorCall, forward, inverse, outputSize, products, reach, remarks, show, sizeFormula, touches, weightIndex } from "../../course/explorers/core.js";
import { Convolution, PRESETS, presetOf } from "../../course/explorers/convolution.js";

const cases = JSON.parse(readFileSync(new URL("./conv_cases.json", import.meta.url)));
const fine = cases.filter((one) => one.out), broken = cases.filter((one) => !one.out);
const filled = (settings) => ({ x: null, w: null, b: null, ...settings });
const close = (a, b) => Math.abs(a - b) <= 1e-8 * (1 + Math.abs(b));
const BASE = { size: [7, 7], kernel_size: [3, 3], stride: [1, 1], padding: [0, 0, 0, 0], padding_mode: "zeros", dilation: [1, 1],
  in_channels: 1, out_channels: 1, transposed: false, output_padding: [0, 0], x: null, w: null, b: null };

test("there are at least 200 cases that work and some that torch refuses", () => {
  assert.ok(fine.length >= 200, `${fine.length}`);
  assert.ok(broken.length >= 10, `${broken.length}`);
});

test("every map equals torch's", () => {
  for (const { settings, shape, out } of fine) {
    const now = new Convolution(filled(settings));
    assert.deepEqual([1, settings.out_channels, ...now.out], shape, JSON.stringify(settings));
    const all = [...Array(settings.out_channels).keys()].flatMap((o) => [...now.map(o)]);
    assert.ok(all.every((v, n) => close(v, out[n])), JSON.stringify(settings));
  }
});

test("every output is the sum of its products and the bias", () => {
  for (const { settings } of fine) {
    const now = new Convolution(filled(settings)), o = settings.out_channels - 1;
    const [row, col] = [now.out[0] - 1, Math.floor(now.out[1] / 2)];
    const sum = now.products(o, row, col).flat().reduce((total, tap) => total + tap[6], now.b[o]);
    assert.ok(close(sum, now.value(o, row, col)), JSON.stringify(settings));
  }
});

test("the weights on the way from an input sum to torch's gradient of the summed output", () => {
  for (const { settings, grad } of fine) {
    const now = new Convolution(filled(settings)), { g } = now;
    for (let c = 0, n = 0; c < g.in_channels; c++)
      for (let r = 0; r < g.size[0]; r++)
        for (let q = 0; q < g.size[1]; q++, n++) {
          let sum = 0;
          for (let o = 0; o < g.out_channels; o++) for (const [i, j] of now.touches(r, q)) sum += now.weight(o, c, i, j);
          assert.ok(close(sum, grad[n]), JSON.stringify(settings));
        }
  }
});

test("settings that torch refuses are explained, the others are not called errors", () => {
  const errors = ({ settings }) => remarks(settings).filter(([kind]) => kind === "error");
  for (const one of broken) assert.notEqual(errors(one).length, 0, JSON.stringify(one.settings));
  for (const one of fine) assert.equal(errors(one).length, 0, JSON.stringify(one.settings));
});

test("a stride of zero, half a stride and a negative padding are explained", () => {
  for (const odd of [{ stride: [0, 1] }, { stride: [1.5, 1] }, { padding: [-1, 0, 0, 0] }, { kernel_size: [0, 3] }, { size: [65, 7] }])
    assert.equal(remarks({ ...BASE, ...odd })[0][0], "error", JSON.stringify(odd));
});

test("rows and columns that no window reads are named", () => {
  const found = remarks({ ...BASE, size: [8, 7], stride: [2, 2] });
  assert.deepEqual(found, [["note", "No window reads 1 of the input’s 8 rows (hatched): 7."]]);
  assert.match(remarks({ ...BASE, kernel_size: [1, 1], stride: [3, 1] })[0][1], /4 of the input’s 7 rows .*1, 2, 4, 5/);
});

test("AlexNet's conv1 gives 55 from 227, though 227 are not drawn", () => {
  const g = { ...BASE, ...PRESETS.alexnet[1], size: [227, 227] };
  assert.equal(outputSize(g, 0), 55);
  assert.match(remarks(g)[0][1], /the formula still holds: 55 out/);
});

test("the formula of the size has no padding where there is none, and the dilation only where there are holes", () => {
  const formula = (settings) => sizeFormula({ ...BASE, ...settings }, 0);
  assert.equal(formula({ stride: [2, 2] }), "⌊(7 − 3) / 2⌋ + 1 = 3");
  assert.equal(formula({ padding: [1, 0, 0, 0] }), "⌊(7 + 1 + 0 − 3) / 1⌋ + 1 = 6");
  assert.equal(formula({ dilation: [2, 1] }), "⌊(7 − 2 × (3 − 1) − 1) / 1⌋ + 1 = 3");
  assert.equal(formula({ transposed: true, stride: [2, 2] }), "(7 − 1) × 2 + 3 = 15");
  const dilated = { transposed: true, stride: [2, 2], dilation: [2, 1], padding: [1, 1, 0, 0], output_padding: [1, 0] };
  assert.equal(formula(dilated), "(7 − 1) × 2 − 1 − 1 + 2 × (3 − 1) + 1 + 1 = 16");
});

test("the shortest formula is worked out to the size, whatever the settings", () => {
  for (const { settings, shape } of fine) {
    const [sum, result] = sizeFormula(settings, 0).split(" = ");
    const written = sum.replaceAll("−", "-").replaceAll("×", "*").replace("⌊", "Math.floor(").replace("⌋", ")");
    assert.equal(Function(`return ${written}`)(), shape[2], sum);
    assert.equal(Number(result), shape[2], sum);
  }
});

test("the formula of settings that do not work gives no number", () => {
  for (const odd of [{ stride: [0, 1] }, { stride: [1.5, 1] }, { padding: [-1, 0, 0, 0] }, { kernel_size: [0, 3] }, { kernel_size: [9, 3] }])
    assert.match(sizeFormula({ ...BASE, ...odd }, 0), /: no output$/, JSON.stringify(odd));
});

test("a sentence speaks of one product as one, and of the bias where there is one", () => {
  const now = (settings) => new Convolution({ ...BASE, size: [1, 1], kernel_size: [1, 1], x: [[[9]]], w: [[[[2]]]], ...settings });
  assert.equal(now({ b: [1] }).sentence(0, 0, 0), "Output row 0, column 0: 1 product is 18; with bias 1 that is 19.");
  assert.equal(now({ b: [0] }).sentence(0, 0, 0), "Output row 0, column 0: 1 product is 18.");
  assert.equal(now({ b: [1] }).formula(0, 0, 0), "out[0, 0, 0] = 9·2 + 1 = 19");
  assert.equal(now({ b: [0] }).formula(0, 0, 0), "out[0, 0, 0] = 9·2 = 18");
});

test("every preset works and is recognised", () => {
  for (const [name, [, settings]] of Object.entries(PRESETS)) {
    const g = { ...BASE, ...settings };
    assert.ok(new Convolution(g).ok, name);
    assert.equal(presetOf(g, BASE), name);
  }
});

test("the answer of a function is judged by shape and by number, nan is wrong", () => {
  const now = new Convolution({ ...BASE, size: [3, 4] }), right = [...now.map(0)];
  assert.match(now.judge({ call: "f(x)", shape: [1, 1, 1, 2], values: right }).text, /✓ .*all 2 numbers are right/);
  assert.equal(now.judge({ call: "f(x)", shape: [1, 1, 1, 2], values: [right[0], "NaN"] }).count, 1);
  assert.match(now.judge({ call: "f(x)", shape: [1, 2], values: right }).text, /shape 1 × 2, where 1 × 1 × 1 × 2 is right/);
  assert.match(now.judge({ call: "f(x)", error: "raised ValueError: no" }).text, /f\(x\) raised ValueError: no/);
});

test("the constructor's call names only what was changed, in its shortest form", () => {
  assert.equal(constructorCall("ConvExplorer", BASE, BASE), "ConvExplorer()");
  const state = { ...BASE, size: [5, 7], stride: [2, 2], padding: [1, 1, 2, 2], padding_mode: "reflect", transposed: true, b: [0.5] };
  assert.equal(constructorCall("ConvExplorer", state, BASE, "conv2d"),
    'ConvExplorer(conv2d, size=(5, 7), stride=2, padding=(1, 2), padding_mode="reflect", transposed=True, b=[0.5])');
});

test("numbers are written with a true minus and four digits that count", () => {
  assert.deepEqual([-3, 0.123456, 1e7, NaN, -Infinity, 12].map(show), ["−3", "0.1235", "10000000", "nan", "−∞", "12"]);
});

test("forward and the links agree for a one-dimensional look", () => {
  const g = { ...BASE, size: [1, 5], kernel_size: [1, 3], stride: [1, 2] }, x = Float64Array.of(1, 2, 3, 4, 5), w = Float64Array.of(1, 10, 100);
  assert.deepEqual([...forward(g, x, w, [0], 0)], [321, 543]);
  assert.deepEqual(inverse(reach(g, 1), 5), [[0, 0], [1, 0], [2, 0, 0, 1], [1, 1], [2, 1]]);
  assert.equal(products(g, x, w, 0, 0, 1)[0].length, 3);
  assert.deepEqual(touches(g, 0, 2), [[0, 2, 0, 0], [0, 0, 0, 1]]);
  assert.equal(weightIndex(g, 0, 0, 0, 2), 2);
});
