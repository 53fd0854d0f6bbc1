// Maths of OptimizerPlane: surfaces of two weights, and the steps that walk down them.
import { hash, show } from "./core.js";

const CURVE = 25; // how much steeper the ravine is across than along
// Name -> [what to call it, f(x, y), its gradient's terms, its least value, noise added to the gradient].
// No surface twists the two weights together: the gradient of each is a·w + b·w³, with its own [a, b].
export const SURFACES = {
  ravine: ["a ravine", (x, y) => (x * x + CURVE * y * y) / 2, [[1, 0], [CURVE, 0]], 0, 0],
  bowl: ["a round bowl", (x, y) => (x * x + y * y) / 2, [[1, 0], [1, 0]], 0, 0],
  saddle: ["a saddle", (x, y) => (x * x - y * y) / 2 + 0.05 * y ** 4, [[1, 0], [-1, 0.2]], -1.25, 0],
  noisy: ["the ravine, noisy gradients", (x, y) => (x * x + CURVE * y * y) / 2, [[1, 0], [CURVE, 0]], 0, 6],
};
export const slope = ([a, b], w) => a * w + b * w * w * w;
export const REACH = 4; // the plane goes from -REACH to REACH

// Name -> [what to call it, its update in a line, the β that v keeps, the part of g it takes, whether a step looks ahead].
export const METHODS = {
  descent: ["gradient descent", "w ← w − rate·g", () => 0, () => 1, false],
  momentum: ["momentum", "v ← β·v + g;  w ← w − rate·v", (beta) => beta, () => 1, false],
  average: ["momentum, averaged", "v ← β·v + (1 − β)·g;  w ← w − rate·v", (beta) => beta, (beta) => 1 - beta, false],
  nesterov: ["Nesterov", "v ← β·v + g;  w ← w − rate·(g + β·v)", (beta) => beta, () => 1, true],
  adam: ["Adam", "w ← w − rate·v̂ / (√ŝ + ε), v and s averages of g and g²"],
};

// The same noise for everybody at the same step, from -1 to 1.
export const noiseAt = (t, n) => (hash(t, n, 0) % 2001) / 1000 - 1;

// The places after 0, 1, ... steps: x, y, x, y ...; a path that has left for good stays at infinity.
export function walk(surface, method, run) {
  const path = new Float64Array(2 * run.steps + 2).fill(Infinity);
  path.set(run.start);
  goAlong(surface, method, run, noiseOf(surface, run.steps), path);
  return path;
}

function noiseOf(surface, steps) {
  const size = SURFACES[surface][4];
  return Float64Array.from({ length: 2 * steps + 2 }, (_, n) => (size && n > 1 ? size * noiseAt(n >> 1, n & 1) : 0));
}

// Take the steps, until the path has left for good; returns the end. One loop for all kinds of momentum and one for Adam,
// of plain numbers alone, x and y side by side: the map takes 160,000 steps.
function goAlong(surface, method, run, noise, path = null) {
  return (method === "adam" ? adamAlong : momentumAlong)(SURFACES[surface][2], METHODS[method], run, noise, path);
}

const AWAY = [Infinity, Infinity];
const isAway = (x, y) => !(Math.abs(x) < 1e9 && Math.abs(y) < 1e9);

function momentumAlong([[a, b], [c, d]], [, , keeps, takes, ahead], { start, rate, beta, steps }, noise, path) {
  const keep = keeps(beta), take = takes(beta);
  let x = start[0], y = start[1], v = 0, u = 0;
  for (let n = 2; n < 2 * steps + 2; n += 2) {
    const g = a * x + b * x * x * x + noise[n], h = c * y + d * y * y * y + noise[n + 1];
    v = keep * v + take * g;
    u = keep * u + take * h;
    x -= rate * (ahead ? g + keep * v : v);
    y -= rate * (ahead ? h + keep * u : u);
    if (isAway(x, y)) return AWAY;
    if (path) { path[n] = x; path[n + 1] = y; }
  }
  return [x, y];
}

function adamAlong([[a, b], [c, d]], method, { start, rate, beta, steps }, noise, path) {
  let x = start[0], y = start[1], v = 0, u = 0, s = 0, q = 0, first = 1, second = 1; // first, second: beta and 0.999 to the power of t
  for (let n = 2; n < 2 * steps + 2; n += 2) {
    const g = a * x + b * x * x * x + noise[n], h = c * y + d * y * y * y + noise[n + 1];
    first *= beta;
    second *= 0.999;
    const step = rate / (1 - first), unbias = 1 / (1 - second);
    v = beta * v + (1 - beta) * g;
    u = beta * u + (1 - beta) * h;
    s = 0.999 * s + 0.001 * g * g;
    q = 0.999 * q + 0.001 * h * h;
    x -= (step * v) / (Math.sqrt(s * unbias) + 1e-8);
    y -= (step * u) / (Math.sqrt(q * unbias) + 1e-8);
    if (isAway(x, y)) return AWAY;
    if (path) { path[n] = x; path[n + 1] = y; }
  }
  return [x, y];
}

// How far f stands above its least value at a place.
export function height(surface, x, y) {
  return Number.isFinite(x) ? SURFACES[surface][1](x, y) - SURFACES[surface][3] : Infinity;
}

export const RATES = [0.001, 1.5]; // the map's learning rates, by even factors; its betas are even from 0 to 0.99
export const rateAt = (n, count) => RATES[0] * (RATES[1] / RATES[0]) ** (n / (count - 1));
export const placeOfRate = (rate, count) => Math.round((Math.log(rate / RATES[0]) / Math.log(RATES[1] / RATES[0])) * (count - 1));

// What a number of the map means.
export function ending(left) {
  if (left >= 6) return "has run away";
  return left > -6 ? `ends ${show(Number((10 ** left).toPrecision(2)))} times as high as it started` : "ends at most a millionth as high as it started";
}

// For each beta (rows) and rate (columns): log10 of what is left of the start's height, from -6 to 6.
export function convergence(surface, method, start, steps, count) {
  const out = new Float64Array(count * count), begin = Math.max(height(surface, ...start), 1e-12), noise = noiseOf(surface, steps);
  const rates = Array.from({ length: count }, (_, c) => rateAt(c, count));
  for (let r = 0, n = 0; r < count; r++)
    for (let c = 0; c < count; c++, n++) {
      const [x, y] = goAlong(surface, method, { start, rate: rates[c], beta: (0.99 * r) / (count - 1), steps }, noise);
      out[n] = Math.max(-6, Math.min(6, Math.log10(Math.max(height(surface, x, y) / begin, 1e-6))));
    }
  return out;
}
