// ArchitectureBuilder's maths against torch's (architecture_cases.json, made by make_cases.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { KINDS, fieldOf, fresh, full, short, solveNet } from "../../course/explorers/layers.js";
import { NETS, seen, sums, torchNet, words } from "../../course/explorers/nets.js";

const cases = JSON.parse(readFileSync(new URL("./architecture_cases.json", import.meta.url)));
const solved = (layers, input) => solveNet(layers.map(full), input);

test("every number of every row equals torch's, and the first layer that does not fit is found", () => {
  assert.ok(cases.length >= 200);
  assert.ok(cases.filter((one) => one.broken >= 0).length >= 30);
  for (const { settings: { layers, input_size }, broken, shapes, parameters, multiply_adds, memory, rows, columns } of cases) {
    const said = JSON.stringify({ layers, input_size }), all = solved(layers, input_size).rows, good = all.filter((row) => row.axes);
    assert.equal(all.findIndex((row) => row.reason), broken, said);
    assert.deepEqual(good.flatMap((row) => row.shape), shapes, said);
    assert.deepEqual(good.map((row) => row.parameters), parameters, said);
    assert.deepEqual(good.map((row) => row.multiplyAdds), multiply_adds, said);
    assert.deepEqual(good.map((row) => row.memory), memory, said);
    [rows, columns].forEach((field, axis) => assert.deepEqual(good.map((row) => fieldOf(row)[axis] ?? -1), field, said));
  }
});

test("a layer at full length and back is as short as Python writes it", () => {
  for (const { settings: { layers } } of cases) assert.deepEqual(layers.map(full).map(short), layers);
  for (const [, , layers] of Object.values(NETS)) assert.deepEqual(layers.map(full).map(short), layers);
});

test("the parameters that the papers and torchvision give", () => {
  const total = (name, key) => solved(NETS[name][2], NETS[name][1]).totals[key];
  assert.deepEqual(["lenet-5", "alexnet", "vgg-16", "resnet-18"].map((name) => total(name, "parameters")), [61706, 60965224, 138357544, 11689512]);
  assert.equal(total("vgg-16", "multiplyAdds"), 15470264320);
  assert.equal(total("resnet-18", "multiplyAdds"), 1814073344);
});

test("a layer of every kind has words, sums and code, and a new one fits behind what it needs", () => {
  for (const kind of Object.keys(KINDS)) {
    const layers = [...(kind === "linear" ? [["flatten"]] : []), fresh(kind)], { rows, reason } = solveNet(layers, [3, 8, 8]);
    assert.equal(reason, "", kind);
    assert.ok(words(layers.at(-1)) && sums(rows.at(-1)).length && seen(rows.at(-1)) && torchNet(rows, [3, 8, 8]).includes("nn."));
  }
});

test("only the first layer that breaks has a reason, also inside a block; what follows is not worked out", () => {
  const { rows, totals } = solved([["conv", 4, 3], ["residual", ["relu", ["maxpool", 9]]], "relu", ["linear", 2]], [1, 8, 8]);
  assert.deepEqual(rows.map((row) => [Boolean(row.axes), Boolean(row.reason), Boolean(row.after)]), [[true, false, false], [false, true, false], [false, false, true], [false, false, true]]);
  assert.match(rows[1].reason, /^Inside, layer 2 \(maxpool\): Its window spans 9 rows, but only 6 are left/);
  assert.equal(totals.parameters, 40);
  assert.match(solved([["residual", [["conv", 2, 3]]]], [2, 8, 8]).reason, /body puts out 2 × 6 × 6, its shortcut 2 × 8 × 8/);
  assert.match(solveNet([], [0, 8, 8]).reason, /three whole numbers/);
});
