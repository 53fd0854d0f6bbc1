// PoolLab's maths against torch's answers (pool_cases.json, made by make_cases.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { outShape, pool, poolRemarks, pooled, shifted } from "../../course/explorers/pooling.js";

const cases = JSON.parse(readFileSync(new URL("./pool_cases.json", import.meta.url)));
const isError = ([kind]) => kind === "error";
const close = (mine, right) => mine.every((v, n) => Math.abs(v - right[n]) <= 1e-8 * (1 + Math.abs(right[n])));

test("every pooling and its gradient equal torch's, and a window that does not fit is explained", () => {
  assert.ok(cases.filter((one) => one.out).length >= 200);
  for (const { settings: g, shape, out, grad } of cases) {
    assert.equal(poolRemarks(g).some(isError), out === null, JSON.stringify(g));
    if (!out) continue;
    const mine = pool(g, shifted(Float64Array.from(g.x.flat()), g.size, g.shift));
    assert.deepEqual([mine.rows, mine.cols], shape);
    assert.ok(close(mine.out, out) && (!grad || close(mine.grad, grad)), JSON.stringify(g));
  }
});

test("of several largest the first in row-major order gets the gradient", () => {
  assert.deepEqual(pooled("max", [1, 5, 5, 2]), [5, [0, 1, 0, 0]]);
});

test("the length of a window of zeros has no gradient rather than nan", () => {
  assert.deepEqual(pooled("l2", [0, 0]), [0, [0, 0]]);
});

test("overlap and unread rows are told", () => {
  const told = poolRemarks({ size: [8, 8], kernel_size: [3, 3], stride: [2, 2] }).map(([, text]) => text).join(" ");
  assert.match(told, /neighbours share 1 row\./);
  assert.match(told, /No window reads 1 of the input’s 8 rows/);
  assert.deepEqual(outShape({ size: [8, 9], kernel_size: [3, 3], stride: [2, 2] }), [3, 4]);
});

test("moving there and back leaves the picture as it was", () => {
  const x = Float64Array.from({ length: 12 }, (_, n) => n);
  assert.deepEqual(shifted(shifted(x, [3, 4], [2, -5]), [3, 4], [-2, 5]), x);
  assert.deepEqual([...shifted(x, [3, 4], [0, 1])].slice(0, 4), [3, 0, 1, 2]);
});
