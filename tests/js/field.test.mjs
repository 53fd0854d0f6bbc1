// ReceptiveField's maths against torch's gradients (field_cases.json, made by make_cases.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { STACKS, fieldRemarks, levels, ranges, shares, widthOf } from "../../course/explorers/fields.js";

const cases = JSON.parse(readFileSync(new URL("./field_cases.json", import.meta.url)));
const sum = (list) => list.reduce((total, v) => total + v, 0);

test("sizes and shares equal torch's, and a layer that does not fit is explained", () => {
  assert.ok(cases.filter((one) => one.grad).length >= 200);
  for (const { settings: { layers, size }, size: last, place, grad } of cases) {
    assert.equal(fieldRemarks(layers, size).length > 0, grad === null, JSON.stringify(layers));
    if (!grad) continue;
    const all = levels(layers, size), sizes = all.map((level) => level.size);
    assert.equal(sizes.at(-1), last);
    const [down, across] = place.map((n) => shares(layers, sizes, n)[0]);
    down.forEach((v, n) => assert.ok(Math.abs(v * sum(across) - grad[0][n]) < 1e-7, JSON.stringify({ layers, size })));
    across.forEach((v, n) => assert.ok(Math.abs(v * sum(down) - grad[1][n]) < 1e-7, JSON.stringify({ layers, size })));
    const [low, high] = ranges(layers, place[1])[0];
    assert.equal(high - low + 1, all.at(-1).field);
    across.forEach((v, n) => assert.ok(v === 0 || (n >= low && n <= high)));
  }
});

test("the fields that papers give", () => {
  const field = (name) => levels(STACKS[name][2], STACKS[name][1]).at(-1).field;
  assert.deepEqual(["three", "seven", "lenet", "alexnet", "vgg", "resnet"].map(field), [7, 7, 32, 195, 212, 435]);
  const last = (name) => levels(STACKS[name][2], STACKS[name][1]).at(-1).size;
  assert.deepEqual(["lenet", "alexnet", "vgg", "resnet"].map(last), [1, 6, 7, 7]);
});

test("three averages weigh the middle more, so most of the field is narrower than all of it", () => {
  const profile = shares(STACKS.three[2], [16, 14, 12, 10], 4)[0];
  assert.deepEqual([...profile.slice(4, 11)].map((v) => Math.round(27 * v)), [1, 3, 6, 7, 6, 3, 1]);
  assert.equal(widthOf(profile, 0.9), 5);
  assert.equal(widthOf([1, 1, 1, 1], 1), 4);
});
