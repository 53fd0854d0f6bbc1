// NormLab's maths against torch (norm_cases.json, made by make_cases.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { batchOf, normRemarks, normalized, running, statistics } from "../../course/explorers/norms.js";

const cases = JSON.parse(readFileSync(new URL("./norm_cases.json", import.meta.url)));
const close = (mine, right) => [...mine].every((v, n) => Math.abs(v - right[n]) <= 1e-7 * (1 + Math.abs(right[n])));
const isError = ([kind]) => kind === "error";
const BASE = { kind: "batch", batch: 4, channels: 4, places: 4, groups: 2, gamma: 1, beta: 0, eps: 1e-5, momentum: 0.1, training: true, outlier: 0 };

test("every normalised batch and every running statistic equal torch's", () => {
  assert.ok(cases.filter((one) => one.out).length >= 205);
  for (const { settings, seen, out, mean, variance } of cases) {
    if (!out) continue; // that or a batch before it cannot be normalised
    assert.ok(!normRemarks(settings).some(isError), JSON.stringify(settings));
    const kept = running(settings, seen);
    assert.ok(close(normalized(batchOf(seen, settings), settings, kept).out, out), JSON.stringify({ settings, seen }));
    assert.ok(close(kept.mean, mean) && close(kept.variance, variance), JSON.stringify({ settings, seen }));
  }
});

test("what cannot be normalised is explained", () => {
  assert.ok(normRemarks({ ...BASE, batch: 1, places: 1 }).some(isError));
  assert.ok(normRemarks({ ...BASE, kind: "instance", places: 1 }).some(isError));
  assert.deepEqual(normRemarks({ ...BASE, batch: 1, places: 1, training: false }).map(([kind]) => kind), ["note"]);
  assert.ok(normRemarks({ ...BASE, kind: "group", channels: 3 }).some(isError));
  assert.deepEqual(normRemarks({ ...BASE, channels: 3 }), []);
  assert.ok(normRemarks({ ...BASE, eps: 0 }).some(isError));
});

test("one number in all its groups and samples is refused where torch refuses it, and nowhere else", () => {
  const refused = (odd) => normRemarks({ ...BASE, places: 1, batch: 1, channels: 2, ...odd }).some(isError);
  assert.ok(refused({ kind: "group", groups: 2 }) && refused({ kind: "group", groups: 1, channels: 1 }));
  assert.ok(!refused({ kind: "group", groups: 1 }) && !refused({ kind: "group", groups: 2, batch: 2 }) && !refused({ kind: "group", groups: 2, places: 2 }));
  assert.ok(!refused({ kind: "layer" }) && !refused({ kind: "layer", channels: 1 }));
});

test("each kind averages as many numbers as it should", () => {
  const counts = ["batch", "layer", "instance", "group"].map((kind) => statistics(batchOf(0, BASE), { ...BASE, kind }).map((set) => set.count));
  assert.deepEqual(counts, [Array(4).fill(16), Array(4).fill(16), Array(16).fill(4), Array(8).fill(8)]);
});

test("an outlier moves only the set that it is in", () => {
  const [calm, far] = [0, 40].map((outlier) => normalized(batchOf(0, { ...BASE, outlier }), { ...BASE, kind: "instance" }).out);
  assert.deepEqual([...calm.slice(4)], [...far.slice(4)]);
  assert.ok(Math.abs(calm[1] - far[1]) > 0.1);
});
