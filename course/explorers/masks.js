// Maths of DropoutLab: a net of three inputs, two hidden layers of `units` and one output, with units dropped.
import { hash, show } from "./core.js";

const weight = (layer, to, from) => ((hash(layer, to, from) % 9) - 4) / 4; // quarters from -1 to 1

export function net(units, inputs = 3) {
  const layer = (n, outs, ins) => ({ w: Array.from({ length: outs }, (_, o) => Array.from({ length: ins }, (_, i) => weight(n, o, i))),
    b: Array.from({ length: outs }, (_, o) => weight(n, o, 50)) });
  return [layer(1, units, inputs), layer(2, units, units), layer(3, 1, units)];
}

// Mask number n: for both hidden layers, 1 where a unit stays, which happens with probability 1 - p.
export const maskOf = (n, units, p) => [0, 1].map((layer) => Array.from({ length: units }, (_, u) => ((hash(n, layer, u) % 10000) / 10000 >= p ? 1 : 0)));

// What every layer gives. `masks` null: the whole net, as in evaluation.
export function through(layers, x, { p, activation, inverted }, masks) {
  const found = [x], keep = 1 - p;
  const factor = masks ? (inverted ? (keep ? 1 / keep : 0) : 1) : inverted ? 1 : keep;
  layers.forEach(({ w, b }, n) => {
    const last = n === layers.length - 1, before = found[n];
    found.push(w.map((row, o) => {
      const sum = row.reduce((total, v, i) => total + v * before[i], b[o]);
      if (last) return sum;
      return (activation === "relu" ? Math.max(0, sum) : sum) * factor * (masks ? masks[n][o] : 1);
    }));
  });
  return found;
}

// The mean over all masks, each as likely as it is: exact, with 2 to the power of 2 x units of them.
export function expectation(layers, x, settings) {
  const { units, p } = settings, count = 2 ** units, bits = Array.from({ length: count }, (_, n) => Array.from({ length: units }, (_, u) => (n >> u) & 1));
  const odds = bits.map((mask) => mask.reduce((product, bit) => product * (bit ? 1 - p : p), 1));
  let mean = 0;
  for (let n = 0; n < count; n++) {
    if (!odds[n]) continue;
    for (let m = 0; m < count; m++) if (odds[m]) mean += odds[n] * odds[m] * through(layers, x, settings, [bits[n], bits[m]])[3][0];
  }
  return mean;
}

// How kept units are scaled, and whether the mean over all masks is the scaled whole net: two lines.
export function agreement({ p, activation, inverted }, mean, whole) {
  if (p === 1 && inverted) return ["1 / (1 − 1) has no value: torch drops everything in training and nothing in evaluation", "average of all masks = the output’s bias, not the whole net"];
  const why = p === 0 ? "exactly: nothing is dropped" : p === 1 ? "exactly: everything is dropped"
    : activation === "linear" ? "exactly: between linear units scaling is the average"
      : Math.abs(mean - whole) < 1e-9 ? "exactly here, though ReLU bends: elsewhere scaling is only about the average"
        : "nearly: ReLU bends, so that scaling is only about the average";
  return [`kept units are ${inverted ? `multiplied by 1 / (1 − ${show(p)}) in training, by 1 in evaluation` : `left as they are in training, multiplied by 1 − ${show(p)} in evaluation`}`,
    `average of all masks = scaled whole net, ${why}`];
}

export function dropRemarks({ p, units, masks, x }) {
  const found = [];
  if (!(p >= 0 && p <= 1)) found.push(["error", "p is the probability of dropping a unit: from 0 to 1."]);
  if (!(Number.isInteger(units) && units >= 1 && units <= 6)) found.push(["error", "A hidden layer has 1 to 6 units here, so that all masks can be counted."]);
  if (!(Number.isInteger(masks) && masks >= 1 && masks <= 2000)) found.push(["error", "The masks are a whole number from 1 to 2000."]);
  if (!(x.length === 3 && x.every(Number.isFinite))) found.push(["error", "The net has three inputs."]);
  if (p === 1) found.push(["note", "With p = 1 every mask drops all units: what is left is the bias of the output."]);
  return found;
}
