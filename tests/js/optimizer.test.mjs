// OptimizerPlane's maths against torch.optim (optimizer_cases.json, made by make_cases.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { METHODS, SURFACES, convergence, ending, height, placeOfRate, rateAt, slope, walk } from "../../course/explorers/optimizers.js";

const cases = JSON.parse(readFileSync(new URL("./optimizer_cases.json", import.meta.url)));

test("every path is torch.optim's", () => {
  assert.ok(cases.length >= 200);
  for (const { settings, path } of cases) {
    const mine = [...walk(settings.surface, settings.method, settings)].slice(-path.length);
    assert.ok(mine.every((v, n) => Math.abs(v - path[n]) <= 1e-8 * (1 + Math.abs(path[n]))), JSON.stringify({ settings, mine, path }));
  }
});

test("each gradient is the slope of its surface, and nothing lies under the least value", () => {
  for (const [f, gradient, least] of Object.values(SURFACES).map((surface) => surface.slice(1))) {
    for (const [x, y] of [[1, 2], [-3, 0.5], [0, Math.sqrt(5)]]) {
      const [gx, gy] = [slope(gradient[0], x), slope(gradient[1], y)], e = 1e-5;
      assert.ok(Math.abs((f(x + e, y) - f(x - e, y)) / (2 * e) - gx) < 1e-6);
      assert.ok(Math.abs((f(x, y + e) - f(x, y - e)) / (2 * e) - gy) < 1e-6);
      assert.ok(f(x, y) >= least - 1e-12);
    }
  }
});

test("on the ravine gradient descent runs away from a rate of 2 / 25 on, and momentum bears more", () => {
  const end = (method, rate) => height("ravine", ...walk("ravine", method, { start: [-3, 2], rate, beta: 0.9, steps: 500 }).slice(-2));
  assert.ok(end("descent", 0.079) < 1);
  assert.equal(end("descent", 0.081) > 1e3, true);
  assert.ok(end("momentum", 0.12) < 1e-3);
});

test("averaged momentum is momentum with a rate 1 - beta times as large", () => {
  const from = { start: [-3, 2], beta: 0.9, steps: 40 };
  const [a, b] = [walk("saddle", "average", { ...from, rate: 0.1 }), walk("saddle", "momentum", { ...from, rate: 0.01 })];
  a.forEach((v, n) => assert.ok(Math.abs(v - b[n]) < 1e-9));
});

test("the map says for each rate and beta what is left", () => {
  const map = convergence("ravine", "descent", [-3, 2], 200, 20);
  assert.ok(map[0] > -2 && map[0] < -1); // a tiny rate: a little nearer
  assert.equal(map[19], 6); // the largest: away
  assert.equal(placeOfRate(rateAt(7, 20), 20), 7);
  assert.equal(Object.keys(METHODS).length, 5);
});

test("a number of the map is said in words", () => {
  assert.equal(ending(6), "has run away");
  assert.equal(ending(-6), "ends at most a millionth as high as it started");
  assert.equal(ending(Math.log10(0.0123)), "ends 0.012 times as high as it started");
  assert.equal(ending(2), "ends 100 times as high as it started");
});
