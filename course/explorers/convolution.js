// One convolution with its numbers: what ConvExplorer shows, worked out without a page.
import { bracketed, forward, inverse, literal, nested, overlay, products, reach, readPlaces, remarks, show, sourceIndex, startBias,
  startInput, startWeights, touches, weightIndex } from "./core.js";

const FOUR = { size: [63, 63], kernel_size: [11, 11], stride: [4, 4], in_channels: 3, out_channels: 4 };
export const PRESETS = {
  valid: ["valid: no padding", {}],
  same: ["same: the size stays", { padding: [1, 1, 1, 1] }],
  alexnet: ["AlexNet conv1", FOUR,
    "AlexNet’s conv1 reads 227 × 227 × 3 with 96 filters and gives 55 × 55: the same rule, with 227 in place of 63."],
  vgg: ["VGG", { size: [28, 28], padding: [1, 1, 1, 1], in_channels: 3, out_channels: 4 },
    "Every convolution of VGG is 3 × 3 with stride 1 and padding 1: only its pooling changes the size."],
  leftover: ["stride that does not divide", { size: [8, 8], stride: [2, 2] }],
  dilated: ["dilated: a kernel with holes", { size: [9, 9], dilation: [2, 2] }],
  transposed: ["transposed: twice the size",
    { size: [4, 4], kernel_size: [4, 4], stride: [2, 2], padding: [1, 1, 1, 1], transposed: true }],
};

export function presetOf(state, defaults) {
  const same = (want) => (k) => ["x", "w", "b"].includes(k) || JSON.stringify(state[k]) === JSON.stringify(want[k]);
  return Object.keys(PRESETS).find((k) => Object.keys(defaults).every(same({ ...defaults, ...PRESETS[k][1] }))) ?? "";
}

export const largest = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;

export class Convolution {
  constructor(settings) {
    const g = (this.g = structuredClone(settings));
    this.found = remarks(g);
    this.ok = !this.found.some(([kind]) => kind === "error");
    if (!this.ok) return;
    this.shapes = Convolution.shapes(g);
    this.x = overlay(startInput(g.in_channels, ...g.size), this.shapes.x, g.x);
    this.w = overlay(startWeights(g), this.shapes.w, g.w);
    this.b = overlay(startBias(g.out_channels), this.shapes.b, g.b);
    this.links = [reach(g, 0), reach(g, 1)]; // output index -> taps and inputs, for rows and for columns
    this.back = this.links.map((pairs, axis) => inverse(pairs, g.size[axis]));
    this.out = this.links.map((pairs) => pairs.length);
    const pad = g.transposed ? [0, 0, 0, 0] : g.padding;
    this.origin = [-pad[0], -pad[2]]; // index of the padded input's first row and column
    this.padded = [g.size[0] + pad[0] + pad[1], g.size[1] + pad[2] + pad[3]];
    this.kept = { maps: [], inputs: [], kernels: {} };
  }

  static shapes(g) {
    const ends = g.transposed ? [g.in_channels, g.out_channels] : [g.out_channels, g.in_channels];
    return { x: [g.in_channels, ...g.size], w: [...ends, ...g.kernel_size], b: [g.out_channels] };
  }

  map(filter) {
    return (this.kept.maps[filter] ??= forward(this.g, this.x, this.w, this.b, filter));
  }

  kernel(filter, channel) {
    const from = weightIndex(this.g, filter, channel, 0, 0), size = this.g.kernel_size[0] * this.g.kernel_size[1];
    return (this.kept.kernels[from] ??= this.w.subarray(from, from + size));
  }

  weight(filter, channel, i, j) {
    return this.w[weightIndex(this.g, filter, channel, i, j)];
  }

  // The padded input of one channel, flat, with what lies outside and what no window reads.
  input(channel) {
    return (this.kept.inputs[channel] ??= this.pad(channel));
  }

  pad(channel) {
    const { g, padded: [rows, cols], origin: [top, left] } = this, size = rows * cols;
    const [values, outside, unread] = [new Float64Array(size), new Uint8Array(size), new Uint8Array(size)];
    const read = g.transposed ? null : [readPlaces(g, 0), readPlaces(g, 1)];
    for (let n = 0; n < size; n++) {
      const r = Math.floor(n / cols), c = n % cols, [row, col] = this.source(r + top, c + left);
      if (row >= 0 && col >= 0) values[n] = this.x[(channel * g.size[0] + row) * g.size[1] + col];
      outside[n] = row < 0 || col < 0 || row !== r + top || col !== c + left;
      unread[n] = read && !(read[0][r] && read[1][c]);
    }
    return { values, outside, unread, scale: largest(values) };
  }

  // Which input a place of the padded input shows: itself, the one it copies, or -1 for a zero.
  source(row, col) {
    const mode = this.g.transposed ? "zeros" : this.g.padding_mode;
    return [sourceIndex(row, this.g.size[0], mode), sourceIndex(col, this.g.size[1], mode)];
  }

  // What an output is made of, for each channel: [i, j, row, column, value, weight, product].
  products(filter, row, col) {
    return products(this.g, this.x, this.w, filter, row, col, ...this.links);
  }

  // Where an input goes: [i, j, output row, output column].
  touches(row, col) {
    const from = this.source(row, col);
    return from.includes(-1) ? [] : touches(this.g, ...from, ...this.back);
  }

  // Where the kernel's taps lie in the padded input for one output.
  under([row, col], i, j) {
    const { stride, dilation, padding } = this.g;
    return [row * stride[0] + i * dilation[0] - padding[0], col * stride[1] + j * dilation[1] - padding[2]];
  }

  value(filter, row, col) {
    return this.map(filter)[row * this.out[1] + col];
  }

  // The output in one sentence, and as a sum.
  sentence(filter, row, col) {
    const taps = this.products(filter, row, col), sum = (list) => list.reduce((total, tap) => total + tap[6], 0);
    const parts = taps.length > 1 ? ` (${taps.map((list, c) => `channel ${c}: ${show(sum(list))}`).join(", ")})` : "";
    const count = taps.flat().length, total = `${count === 1 ? "1 product is" : `${count} products sum to`} ${show(sum(taps.flat()))}${parts}`;
    const bias = this.b[filter] ? `; with bias ${show(this.b[filter])} that is ${show(this.value(filter, row, col))}` : "";
    return `Output row ${row}, column ${col}: ${total}${bias}.`;
  }

  formula(filter, row, col) {
    const terms = this.products(filter, row, col).flat().map((tap) => `${bracketed(tap[4])}·${bracketed(tap[5])}`);
    const sum = cut(this.b[filter] ? [...terms, bracketed(this.b[filter])] : terms) || "0";
    return `out[${filter}, ${row}, ${col}] = ${sum} = ${show(this.value(filter, row, col))}`;
  }

  // The backward view of one input: in a sentence, and the sum that is its gradient.
  sentenceOfInput(row, col) {
    const [r, c] = this.source(row, col), at = `row ${row}, column ${col}`;
    if (r < 0 || c < 0) return `Padding at ${at} is a zero: it has no gradient.`;
    const count = new Set(this.touches(row, col).map(([, , p, q]) => `${p},${q}`)).size, outputs = `${count} output${count === 1 ? "" : "s"} of each filter`;
    if (r === row && c === col) return `Input ${at} goes into ${outputs}.`;
    return `Padding at ${at} copies input row ${r}, column ${c}, which goes into ${outputs}.`;
  }

  gradient(filter, channel, row, col) {
    const [r, c] = this.source(row, col);
    if (r < 0 || c < 0) return "";
    const ways = {}; // to each output, one or more: padding that copies an input brings it to an output again
    for (const [i, j, p, q] of this.touches(row, col)) (ways[`${p}, ${q}`] ??= []).push(bracketed(this.weight(filter, channel, i, j)));
    const terms = Object.entries(ways).map(([at, weights]) => `${weights.length > 1 ? `(${weights.join(" + ")})` : weights[0]}·g[${filter}, ${at}]`);
    const others = this.g.out_channels > 1 ? " + the same for the other filters" : "";
    return `gradient of x[${channel}, ${r}, ${c}] = ${cut(terms) || "0"}${others}`;
  }

  // A student's answer against ours: a sentence, and where it has our shape its values and the wrong places.
  judge(answer) {
    if (answer.why) return { text: answer.why };
    if (answer.error) return { text: `✗ ${answer.call} ${answer.error}` };
    const want = [1, this.g.out_channels, ...this.out], shape = answer.shape.join(" × ");
    if (shape !== want.join(" × ")) return { text: `✗ ${answer.call} returned ${shape ? `the shape ${shape}` : "a single number"}, where ${want.join(" × ")} is right.` };
    const right = Float64Array.from(want.slice(1, 2).flatMap(() => [...Array(want[1]).keys()].flatMap((o) => [...this.map(o)])));
    const values = Float64Array.from(answer.values, Number);
    const size = Math.min(1, largest(right)); // small maps are held against what is small for them
    const wrong = Uint8Array.from(values, (v, n) => !(Math.abs(v - right[n]) <= 1e-4 * (size + Math.abs(right[n]))));
    const count = wrong.reduce((sum, bad) => sum + bad, 0);
    const text = count ? `${count} of its ${values.length} numbers are wrong: crossed out.` : `all ${values.length} numbers are right.`;
    return { text: `${count ? "✗" : "✓"} ${answer.call}: ${text}`, values, wrong, count };
  }

  torch() {
    if (!this.ok) return this.found.map(([, text]) => `# ${text}\n`).join("");
    const { g, shapes, x, w, b } = this, pair = (two) => `(${two.join(", ")})`;
    const tensor = (flat, shape) => `torch.tensor(${literal(nested(flat, shape))}, dtype=torch.float64)`;
    const lines = ["import torch", "import torch.nn.functional as F", "", `x = ${tensor(x, [1, ...shapes.x])}`,
      `w = ${tensor(w, shapes.w)}`, `b = ${tensor(b, shapes.b)}`];
    const [top, bottom, left, right] = g.padding, even = top === bottom && left === right;
    const steps = `stride=${pair(g.stride)}, dilation=${pair(g.dilation)}`;
    const padding = even ? `, padding=${pair([top, left])}` : "";
    if (g.transposed) {
      lines.push(`out = F.conv_transpose2d(x, w, b, ${steps}${padding}, output_padding=${pair(g.output_padding)})`);
      if (!even) lines.push(`out = out[:, :, ${top}:out.shape[2] - ${bottom}, ${left}:out.shape[3] - ${right}]`);
    } else if (even && g.padding_mode === "zeros") lines.push(`out = F.conv2d(x, w, b, ${steps}${padding})`);
    else {
      const mode = g.padding_mode === "zeros" ? "constant" : g.padding_mode;
      lines.push(`x = F.pad(x, (${left}, ${right}, ${top}, ${bottom}), mode="${mode}")`, `out = F.conv2d(x, w, b, ${steps})`);
    }
    return [...lines, "print(out.shape)", "print(out)", ""].join("\n");
  }
}

const cut = (terms) => (terms.length > 28 ? [...terms.slice(0, 20), `… ${terms.length - 21} more …`, terms.at(-1)] : terms).join(" + ");
