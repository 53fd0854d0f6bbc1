// Maths of ArchitectureBuilder: what each layer makes of a shape, what it holds and costs, what it sees of the input.
// A layer is a kind or a list [kind, values ...] without what is left at its usual value; shapes are [C, H, W] or [F].
import { outputSize } from "./core.js";

const POOL = { values: [["kernel", 2, undefined, 1], ["stride", 2, null, 1], ["padding", 0, 0, 0]], needs: "image" };
// Kind -> its values as [name, in a new layer, when left out (null: the kernel's, undefined: never), least], what it takes.
export const KINDS = {
  conv: { name: "convolution", needs: "image", values: [["filters", 16, undefined, 1], ["kernel", 3, undefined, 1], ["stride", 1, 1, 1],
    ["padding", 1, 0, 0], ["dilation", 1, 1, 1], ["groups", 1, 1, 1], ["bias", true, true]] },
  maxpool: { name: "max pooling", ...POOL },
  avgpool: { name: "average pooling", ...POOL },
  adaptivepool: { name: "adaptive average pooling", needs: "image", values: [["size", 1, 1, 1]] },
  batchnorm: { name: "batch normalization", values: [] },
  lrn: { name: "local response normalization", needs: "image", values: [["size", 5, 5, 1]] },
  relu: { name: "ReLU", values: [] },
  leakyrelu: { name: "leaky ReLU", values: [["slope", 0.01, 0.01]] },
  tanh: { name: "tanh", values: [] },
  sigmoid: { name: "sigmoid", values: [] },
  gelu: { name: "GELU", values: [] },
  silu: { name: "SiLU", values: [] },
  softmax: { name: "softmax", values: [] },
  dropout: { name: "dropout", values: [["p", 0.5, 0.5]] },
  flatten: { name: "flatten", values: [] },
  linear: { name: "linear", needs: "flat", values: [["features", 10, undefined, 1], ["bias", true, true]] },
  residual: { name: "residual block", values: [["body", ["relu"], undefined], ["shortcut", [], []]] },
};

// A layer at full length, and in its shortest form.
export function full(layer) {
  const [kind, ...given] = Array.isArray(layer) ? layer : [layer];
  if (kind === "residual") return [kind, given[0].map(full), (given[1] ?? []).map(full)];
  return [kind, ...KINDS[kind].values.map(([, , usual], n) => (n < given.length ? given[n] : usual === null ? given[0] : usual))];
}

export function short([kind, ...values]) {
  if (kind === "residual") return [kind, ...values.map((list) => list.map(short))].slice(0, values[1].length ? 3 : 2);
  const usual = KINDS[kind].values.map(([, , left]) => (left === null ? values[0] : left));
  let count = values.length;
  while (count && values[count - 1] === usual[count - 1]) count--;
  return count ? [kind, ...values.slice(0, count)] : kind;
}

export const fresh = (kind) => full([kind, ...KINDS[kind].values.map(([, start]) => start)]);
const count = (shape) => shape.reduce((product, n) => product * n, 1);
const sum = (rows, key) => rows.reduce((total, row) => total + row[key], 0);
export const shapeText = (shape) => shape.join(" × ");

const windowOf = ([kind, ...v]) => (kind === "conv" ? { kernel: v[1], stride: v[2], padding: v[3], dilation: v[4] }
  : { kernel: v[0], stride: v[1], padding: v[2], dilation: 1 });
const sizeAfter = ({ kernel, stride, padding, dilation }, size) => outputSize({ size: [size], kernel_size: [kernel], stride: [stride],
  padding: [padding, padding], dilation: [dilation] }, 0);

// The first reason why a layer cannot take a shape, or "".
function reasonAgainst([kind, ...values], shape) {
  const { needs, values: known } = KINDS[kind], flat = shape.length === 1;
  for (const [n, [name, , , least]] of known.entries())
    if (least !== undefined && !(Number.isInteger(values[n]) && values[n] >= least)) return `Its ${name} is a whole number from ${least} up, not ${values[n]}.`;
  if (kind === "dropout" && !(values[0] >= 0 && values[0] <= 1)) return `It drops with a probability from 0 to 1, not ${values[0]}.`;
  if (needs === "image" && flat) return `It needs channels, rows and columns, but only ${shape[0]} numbers in a line come in: flatten later.`;
  if (needs === "flat" && !flat) return `It needs numbers in a line, but ${shapeText(shape)} come in: put flatten before it.`;
  if (kind === "conv" && (shape[0] % values[5] || values[0] % values[5]))
    return `${values[5]} groups divide neither evenly: ${shape[0]} channels come in, ${values[0]} filters go out; both must be multiples.`;
  return ["conv", "maxpool", "avgpool"].includes(kind) ? reasonOfWindow(kind, windowOf([kind, ...values]), shape) : "";
}

function reasonOfWindow(kind, window, [, ...sizes]) {
  const { kernel, padding, dilation } = window, span = dilation * (kernel - 1) + 1;
  if (kind !== "conv" && 2 * padding > kernel) return `It pads ${padding}, but pooling pads half its window at most: ${Math.floor(kernel / 2)} here.`;
  const axis = sizes.findIndex((size) => span > size + 2 * padding);
  if (axis < 0) return "";
  const room = sizes[axis] + 2 * padding;
  return `Its window spans ${span} ${["rows", "columns"][axis]}, but only ${room} ${padding ? "are there, padding included" : "are left"}: pad ${Math.ceil((span - room) / 2)} more on each side, or shrink less above.`;
}

// What comes out of one place, seen along one axis: the first output's field is [start, start + field), all outputs' [low, high).
const startAxis = (size) => ({ jump: 1, start: 0, field: 1, low: 0, high: size });

function slide(axis, { kernel, stride, padding, dilation }, size) {
  const { field, low, high } = axis, jump = axis.jump * stride;
  if (field === null) return { jump, start: null, field, low, high };
  const seen = field + dilation * (kernel - 1) * axis.jump, start = axis.start - padding * axis.jump;
  return { jump, start, field: seen, low: start, high: start + seen + (size - 1) * jump };
}

// Windows of different sizes have no one field; where the output divides the input they are equal.
function adapt(axis, before, size) {
  if (before % size) return { ...axis, start: null, field: null };
  return { ...slide(axis, { kernel: before / size, stride: before / size, padding: 0, dilation: 1 }, size), low: axis.low, high: axis.high };
}

const whole = (axis) => ({ ...axis, start: axis.low, field: axis.high - axis.low });

function joinAxes(a, b) {
  const low = Math.min(a.low, b.low), high = Math.max(a.high, b.high);
  if (a.field === null || b.field === null || a.jump !== b.jump) return { ...a, start: null, field: null, low, high };
  const start = Math.min(a.start, b.start);
  return { jump: a.jump, start, field: Math.max(a.start + a.field, b.start + b.field) - start, low, high };
}

// What a layer does to a shape and to what is seen: { shape, axes, parameters, multiplyAdds, memory (bytes) }.
function work([kind, ...v], shape, axes) {
  const made = { shape, axes, parameters: 0, multiplyAdds: 0 }, [channels, ...sizes] = shape;
  if (["conv", "maxpool", "avgpool"].includes(kind)) {
    const window = windowOf([kind, ...v]), out = sizes.map((size) => sizeAfter(window, size));
    made.shape = [kind === "conv" ? v[0] : channels, ...out];
    made.axes = axes.map((axis, n) => slide(axis, window, out[n]));
    if (kind === "conv") {
      const weights = v[0] * (channels / v[5]) * v[1] ** 2;
      Object.assign(made, { parameters: weights + (v[6] ? v[0] : 0), multiplyAdds: weights * count(out) });
    }
  } else if (kind === "adaptivepool") {
    made.shape = [channels, v[0], v[0]];
    made.axes = axes.map((axis, n) => adapt(axis, sizes[n], v[0]));
  } else if (kind === "flatten") made.shape = [count(shape)];
  else if (kind === "linear") {
    const weights = channels * v[0];
    Object.assign(made, { shape: [v[0]], axes: axes.map(whole), parameters: weights + (v[1] ? v[0] : 0), multiplyAdds: weights });
  } else if (kind === "batchnorm") made.parameters = 2 * channels;
  else if (kind === "softmax" && shape.length === 1) made.axes = axes.map(whole);
  return { ...made, memory: kind === "flatten" ? 0 : 4 * count(made.shape) }; // flatten is only a view
}

function residual(layer, shape, axes, path) {
  const [body, shortcut] = [1, 2].map((part) => run(layer[part], shape, axes, [...path, part]));
  const inner = [...body.rows, ...shortcut.rows], broken = inner.find((row) => row.reason);
  const made = { inner, shape: body.shape, parameters: sum(inner, "parameters"), multiplyAdds: sum(inner, "multiplyAdds") };
  if (broken) return { ...made, reason: `Inside, ${broken.name}: ${broken.reason}` };
  if (shapeText(body.shape) !== shapeText(shortcut.shape))
    return { ...made, reason: `Its body puts out ${shapeText(body.shape)}, its shortcut ${shapeText(shortcut.shape)}: different shapes cannot be added.` };
  return { ...made, axes: body.axes.map((axis, n) => joinAxes(axis, shortcut.axes[n])), memory: sum(inner, "memory") + 4 * count(body.shape) };
}

// One row a layer: { path, layer, name, before, ... what work() gives }; the first that breaks has a reason, the rest are `after`.
function run(layers, shape, axes, path = []) {
  const rows = [];
  let broken = false;
  layers.forEach((layer, n) => {
    const row = { path: [...path, n], layer, name: `layer ${n + 1} (${layer[0]})`, before: shape };
    rows.push(row);
    if (broken) return Object.assign(row, { after: true, inner: layer[0] === "residual" ? unreached(layer, row.path) : undefined });
    const reason = layer[0] === "residual" ? "" : reasonAgainst(layer, shape);
    Object.assign(row, reason ? { reason } : layer[0] === "residual" ? residual(layer, shape, axes, row.path) : work(layer, shape, axes));
    broken = Boolean(row.reason);
    if (!broken) [shape, axes] = [row.shape, row.axes];
  });
  return { rows, shape, axes, broken };
}

const unreached = (layer, path) => [1, 2].flatMap((part) => layer[part].map((one, n) => ({ path: [...path, part, n], layer: one,
  name: `layer ${n + 1} (${one[0]})`, after: true, inner: one[0] === "residual" ? unreached(one, [...path, part, n]) : undefined })));

// The whole net: its rows, totals over those before anything breaks, and what is wrong.
export function solveNet(layers, input) {
  if (!(input.length === 3 && input.every((n) => Number.isInteger(n) && n >= 1 && n <= 65536)))
    return { rows: [], totals: null, reason: "The input has channels, rows and columns: three whole numbers from 1 to 65,536." };
  const { rows, broken } = run(layers, input, input.slice(1).map(startAxis)), good = rows.filter((row) => row.axes);
  const totals = Object.fromEntries(["parameters", "multiplyAdds", "memory"].map((key) => [key, sum(good, key)]));
  return { rows, totals, reason: broken ? rows.find((row) => row.reason).reason : "" };
}

export const fieldOf = (row) => row.axes.map((axis) => axis.field);
