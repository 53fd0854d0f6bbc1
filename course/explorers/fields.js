// Maths of ReceptiveField: stacks of square layers [kind, kernel, stride, padding, dilation], one axis at a time.
import { outputSize } from "./core.js";

const MOST_ROWS = 512; // of a level that is shown, or of its padding
const conv = (k, s = 1, p = 0, d = 1) => ["conv", k, s, p, d], poolOf = (k, s, p = 0) => ["pool", k, s, p, 1];
const times = (n, layer) => Array.from({ length: n }, () => [...layer]);
const stage = (convs) => [...times(convs, conv(3, 1, 1)), poolOf(2, 2)];
export const STACKS = {
  three: ["three 3 × 3", 16, times(3, conv(3))],
  seven: ["one 7 × 7", 16, [conv(7)]],
  dilated: ["dilated 1, 2, 4", 32, [conv(3, 1, 1, 1), conv(3, 1, 2, 2), conv(3, 1, 4, 4)]],
  lenet: ["LeNet-5", 32, [conv(5), poolOf(2, 2), conv(5), poolOf(2, 2), conv(5)]],
  alexnet: ["AlexNet", 227, [conv(11, 4), poolOf(3, 2), conv(5, 1, 2), poolOf(3, 2), ...times(3, conv(3, 1, 1)), poolOf(3, 2)]],
  vgg: ["VGG-16", 224, [2, 2, 3, 3, 3].flatMap(stage)],
  resnet: ["ResNet-18 (without shortcuts)", 224, [conv(7, 2, 3), poolOf(3, 2, 1), ...times(4, conv(3, 1, 1)),
    ...[1, 2, 3].flatMap(() => [conv(3, 2, 1), ...times(3, conv(3, 1, 1))])]],
};

const sizeAfter = ([, kernel, stride, padding, dilation], size) => outputSize({ size: [size], kernel_size: [kernel], stride: [stride],
  padding: [padding, padding], dilation: [dilation] }, 0);

// Each level from the input on: its size, how many input pixels lie between neighbours, and its receptive field.
export function levels(layers, size) {
  const found = [{ size, jump: 1, field: 1 }];
  for (const layer of layers) {
    const { size: before, jump, field } = found.at(-1), [, kernel, stride, , dilation] = layer;
    found.push({ size: sizeAfter(layer, before), jump: jump * stride, field: field + (kernel - 1) * dilation * jump });
  }
  return found;
}

// For one place of the last level: its first and last place at each level, padding included.
export function ranges(layers, place) {
  const found = [[place, place]];
  for (const [, kernel, stride, padding, dilation] of [...layers].reverse()) {
    const [low, high] = found[0];
    found.unshift([low * stride - padding, high * stride - padding + (kernel - 1) * dilation]);
  }
  return found;
}

// The share that each place of each level has in one output, where every layer averages: paths, counted.
export function shares(layers, sizes, place) {
  const found = [new Float64Array(sizes.at(-1))];
  found[0][place] = 1;
  for (let n = layers.length - 1; n >= 0; n--) {
    const [, kernel, stride, padding, dilation] = layers[n], above = found[0], below = new Float64Array(sizes[n]);
    above.forEach((share, q) => {
      if (share) for (let t = 0; t < kernel; t++) { const p = q * stride + t * dilation - padding; if (p >= 0 && p < below.length) below[p] += share / kernel; }
    });
    found.unshift(below);
  }
  return found;
}

// The fewest neighbouring places that hold this part of the whole.
export function widthOf(profile, part = 0.95) {
  const whole = profile.reduce((sum, v) => sum + v, 0);
  let best = profile.length, low = 0, inside = 0;
  for (let high = 0; high < profile.length; high++) {
    inside += profile[high];
    while (inside - profile[low] >= part * whole - 1e-12 && low < high) inside -= profile[low++];
    if (inside >= part * whole - 1e-12) best = Math.min(best, high - low + 1);
  }
  return best;
}

export function fieldRemarks(layers, size) {
  if (!(Number.isInteger(size) && size >= 1 && size <= MOST_ROWS)) return [["error", `The input has 1 to ${MOST_ROWS} rows and columns.`]];
  for (const [n, [kind, kernel, stride, padding, dilation]] of layers.entries()) {
    const name = `Layer ${n + 1} (${kind})`, before = levels(layers.slice(0, n), size).at(-1).size, span = dilation * (kernel - 1) + 1;
    if (![kernel, stride, dilation].every((v) => Number.isInteger(v) && v >= 1)) return [["error", `${name}: kernel, stride and dilation are whole numbers from 1 up.`]];
    if (!(Number.isInteger(padding) && padding >= 0)) return [["error", `${name}: padding is a whole number from 0 up.`]];
    if (span > before + 2 * padding) return [["error", `${name} spans ${span} rows, but ${before + 2 * padding} are left of the input: pad more, or take a layer out.`]];
    const after = sizeAfter([kind, kernel, stride, padding, dilation], before);
    if (Math.max(padding, after) > MOST_ROWS)
      return [["error", `${name} puts out ${after} rows with a padding of ${padding}: ${MOST_ROWS} of each are shown at most, so pad less.`]];
  }
  return [];
}
