// Maths of NormLab: batches of shape (batch, channels, places), and what is averaged with what.
import { hash } from "./core.js";

// Batch number t: every channel has a mean and a spread of its own; the outlier is added to the very first number.
export function batchOf(t, { batch, channels, places, outlier }) {
  const x = new Float64Array(batch * channels * places);
  for (let n = 0, k = 0; n < batch; n++)
    for (let c = 0; c < channels; c++)
      for (let p = 0; p < places; p++, k++) {
        let sum = 0;
        for (let m = 0; m < 4; m++) sum += hash(t, n * 100 + c, p * 4 + m) % 1001;
        x[k] = c - 1 + ((2 + c) * (sum - 2000)) / 1200;
      }
  x[0] += outlier;
  return x;
}

// Which set a number belongs to: the numbers of one set share a mean and a variance.
export function setOf({ kind, channels, groups }, n, c) {
  if (kind === "batch") return c;
  if (kind === "layer") return n;
  return kind === "instance" ? n * channels + c : n * groups + Math.floor((c * groups) / channels);
}

export const setCount = ({ kind, batch, channels, groups }) => ({ batch: channels, layer: batch, instance: batch * channels, group: batch * groups })[kind];

// For each set: how many numbers, their mean, their variance (divided by the count, as normalising wants it).
export function statistics(x, g) {
  const sets = Array.from({ length: setCount(g) }, () => ({ count: 0, mean: 0, variance: 0 }));
  const each = (visit) => x.forEach((v, k) => visit(sets[setOf(g, Math.floor(k / (g.channels * g.places)), Math.floor(k / g.places) % g.channels)], v));
  each((set, v) => { set.count++; set.mean += v; });
  for (const set of sets) set.mean /= set.count;
  each((set, v) => { set.variance += (v - set.mean) ** 2 / set.count; });
  return sets;
}

// The running mean and variance of batch normalisation after `seen` training batches: they start at 0 and 1.
export function running(g, seen) {
  const found = { mean: Array(g.channels).fill(0), variance: Array(g.channels).fill(1) };
  for (let t = 0; t < seen; t++)
    statistics(batchOf(t, g), { ...g, kind: "batch" }).forEach(({ count, mean, variance }, c) => {
      found.mean[c] += g.momentum * (mean - found.mean[c]);
      found.variance[c] += g.momentum * ((variance * count) / (count - 1) - found.variance[c]);
    });
  return found;
}

// The numbers normalised, and the statistics that were used.
export function normalized(x, g, kept) {
  const byBatch = g.kind === "batch" && !g.training;
  const sets = byBatch ? kept.mean.map((mean, c) => ({ count: g.batch * g.places, mean, variance: kept.variance[c] })) : statistics(x, g);
  const out = x.map((v, k) => {
    const { mean, variance } = sets[setOf(g, Math.floor(k / (g.channels * g.places)), Math.floor(k / g.places) % g.channels)];
    return (g.gamma * (v - mean)) / Math.sqrt(variance + g.eps) + g.beta;
  });
  return { out, sets };
}

export function normRemarks(g) {
  const found = [], whole = (n, most) => Number.isInteger(n) && n >= 1 && n <= most, size = g.batch * g.places;
  if (!(whole(g.batch, 16) && whole(g.channels, 8) && whole(g.places, 16))) return [["error", "The batch has 1 to 16 samples, 1 to 8 channels and 1 to 16 places here."]];
  if (g.kind === "group" && !(Number.isInteger(g.groups) && g.groups >= 1 && g.channels % g.groups === 0)) found.push(["error", `${g.channels} channels cannot be split into ${g.groups} equal groups.`]);
  if (!(g.momentum >= 0 && g.momentum <= 1)) found.push(["error", "The momentum is the weight of the new batch: from 0 to 1."]);
  if (!(g.eps > 0)) found.push(["error", "ε is more than 0: it keeps the division safe."]);
  if (g.kind === "batch" && size === 1) found.push(g.training
    ? ["error", "One number a channel has no spread: batch normalisation needs more samples or places (torch raises ValueError)."]
    : ["note", "A batch of one number a channel cannot be trained on: the running mean stays 0 and the running variance 1."]);
  if (g.kind === "instance" && g.places === 1) found.push(["error", "One number has no spread: instance normalisation needs more places (torch raises ValueError)."]);
  if (g.kind === "group" && size === 1 && g.groups === g.channels) found.push(["error", "One number has no spread: group normalisation needs more samples, places or channels a group (torch raises ValueError)."]);
  if (g.kind !== "batch" && !g.training) found.push(["note", "Evaluation is no different: only batch normalisation keeps running statistics."]);
  if (g.kind === "batch" && g.training && g.batch === 1 && size > 1) found.push(["note", "With a batch of 1 this is instance normalisation, and the running statistics jump about."]);
  return found;
}
