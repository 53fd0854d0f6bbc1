// Maths of OptimizerPlane: surfaces of two weights, and the steps that walk down them.
import { hash } from "./core.js";

const CURVE = 25; // how much steeper the ravine is across than along
// Name -> [what to call it, f(x, y), its gradient, its least value, noise added to the gradient].
export const SURFACES = {
  ravine: ["a ravine", (x, y) => (x * x + CURVE * y * y) / 2, (x, y) => [x, CURVE * y], 0, 0],
  bowl: ["a round bowl", (x, y) => (x * x + y * y) / 2, (x, y) => [x, y], 0, 0],
  saddle: ["a saddle", (x, y) => (x * x - y * y) / 2 + 0.05 * y ** 4, (x, y) => [x, 0.2 * y ** 3 - y], -1.25, 0],
  noisy: ["the ravine, noisy gradients", (x, y) => (x * x + CURVE * y * y) / 2, (x, y) => [x, CURVE * y], 0, 6],
};
export const REACH = 4; // the plane goes from -REACH to REACH

// Name -> [what to call it, its update in a line, step for one weight].
export const METHODS = {
  descent: ["gradient descent", "w ← w − rate·g", (m, n, g, rate) => { m.w[n] -= rate * g; }],
  momentum: ["momentum", "v ← β·v + g;  w ← w − rate·v", (m, n, g, rate, beta) => { m.v[n] = beta * m.v[n] + g; m.w[n] -= rate * m.v[n]; }],
  average: ["momentum, averaged", "v ← β·v + (1 − β)·g;  w ← w − rate·v",
    (m, n, g, rate, beta) => { m.v[n] = beta * m.v[n] + (1 - beta) * g; m.w[n] -= rate * m.v[n]; }],
  nesterov: ["Nesterov", "v ← β·v + g;  w ← w − rate·(g + β·v)",
    (m, n, g, rate, beta) => { m.v[n] = beta * m.v[n] + g; m.w[n] -= rate * (g + beta * m.v[n]); }],
  adam: ["Adam", "w ← w − rate·v̂ / (√ŝ + ε), v and s averages of g and g²", (m, n, g, rate, beta, first, second) => {
    m.v[n] = beta * m.v[n] + (1 - beta) * g;
    m.s[n] = 0.999 * m.s[n] + 0.001 * g * g;
    m.w[n] -= (rate * m.v[n]) / first / (Math.sqrt(m.s[n] / second) + 1e-8);
  }],
};

// The same noise for everybody at the same step, from -1 to 1.
export const noiseAt = (t, n) => (hash(t, n, 0) % 2001) / 1000 - 1;

// The places after 0, 1, ... steps: x, y, x, y ...; a path that has left for good stays at infinity.
export function walk(surface, method, { start, rate, beta, steps }) {
  const path = new Float64Array(2 * steps + 2).fill(Infinity);
  path.set(start);
  stepAll(surface, method, { start, rate, beta, steps }, (t, w) => { path[2 * t] = w[0]; path[2 * t + 1] = w[1]; });
  return path;
}

// Take the steps and tell each place, until the path has left for good.
function stepAll(surface, method, { start, rate, beta, steps }, tell) {
  const [, , gradient, , noise] = SURFACES[surface], step = METHODS[method][2], m = { w: [...start], v: [0, 0], s: [0, 0] };
  let [first, second] = [1, 1]; // beta and 0.999 to the power of t
  for (let t = 1; t <= steps; t++) {
    const [gx, gy] = gradient(m.w[0], m.w[1]);
    first *= beta;
    second *= 0.999;
    step(m, 0, noise ? gx + noise * noiseAt(t, 0) : gx, rate, beta, 1 - first, 1 - second);
    step(m, 1, noise ? gy + noise * noiseAt(t, 1) : gy, rate, beta, 1 - first, 1 - second);
    if (!(Math.abs(m.w[0]) < 1e9 && Math.abs(m.w[1]) < 1e9)) return;
    tell(t, m.w);
  }
}

// How far f stands above its least value at a place.
export function height(surface, x, y) {
  return Number.isFinite(x) ? SURFACES[surface][1](x, y) - SURFACES[surface][3] : Infinity;
}

export const RATES = [0.001, 1.5]; // the map's learning rates, by even factors; its betas are even from 0 to 0.99
export const rateAt = (n, count) => RATES[0] * (RATES[1] / RATES[0]) ** (n / (count - 1));
export const placeOfRate = (rate, count) => Math.round((Math.log(rate / RATES[0]) / Math.log(RATES[1] / RATES[0])) * (count - 1));

// For each beta (rows) and rate (columns): log10 of what is left of the start's height, from -6 to 6.
export function convergence(surface, method, start, steps, count) {
  const out = new Float64Array(count * count), first = Math.max(height(surface, ...start), 1e-12);
  for (let r = 0, n = 0; r < count; r++)
    for (let c = 0; c < count; c++, n++) {
      let end = Infinity;
      stepAll(surface, method, { start, rate: rateAt(c, count), beta: (0.99 * r) / (count - 1), steps }, (t, w) => {
        if (t === steps) end = height(surface, w[0], w[1]);
      });
      const left = end / first;
      out[n] = Math.max(-6, Math.min(6, Math.log10(Math.max(left, 1e-6))));
    }
  return out;
}
