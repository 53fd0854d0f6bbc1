// Maths of PoolLab: pooling without padding, its gradient, and a picture moved round its edges.
import { outputSize, readPlaces, remarks } from "./core.js";

export const asConvolution = ({ size, kernel_size, stride }) => ({
  size, kernel_size, stride, padding: [0, 0, 0, 0], padding_mode: "zeros", dilation: [1, 1], in_channels: 1, out_channels: 1,
  transposed: false, output_padding: [0, 0],
});

export const outShape = (g) => [0, 1].map((axis) => Math.max(0, outputSize(asConvolution(g), axis)));

// The picture moved down and right by `shift`; what leaves on one side comes in on the other.
export function shifted(x, [height, width], [down, right]) {
  const out = new Float64Array(x.length), mod = (n, m) => ((n % m) + m) % m;
  for (let r = 0; r < height; r++) for (let c = 0; c < width; c++) out[mod(r + down, height) * width + mod(c + right, width)] = x[r * width + c];
  return out;
}

// Places of the input that one output reads, as flat indices in row-major order.
export function windowOf({ size, kernel_size, stride }, row, col) {
  const places = [];
  for (let i = 0; i < kernel_size[0]; i++) for (let j = 0; j < kernel_size[1]; j++) places.push((row * stride[0] + i) * size[1] + col * stride[1] + j);
  return places;
}

// One window's number and how much of its gradient each place gets. Max: all to the first of the largest.
export function pooled(kind, values) {
  if (kind === "average") return [values.reduce((sum, v) => sum + v, 0) / values.length, values.map(() => 1 / values.length)];
  if (kind === "l2") {
    const length = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
    return [length, values.map((v) => (length ? v / length : 0))];
  }
  const largest = Math.max(...values), first = values.indexOf(largest);
  return [largest, values.map((_, n) => (n === first ? 1 : 0))];
}

// The whole map, and the gradient of its sum with respect to the input.
export function pool(g, x) {
  const [rows, cols] = outShape(g), out = new Float64Array(rows * cols), grad = new Float64Array(x.length);
  for (let n = 0; n < out.length; n++) {
    const places = windowOf(g, Math.floor(n / cols), n % cols), [value, shares] = pooled(g.kind, places.map((p) => x[p]));
    out[n] = value;
    places.forEach((p, m) => { grad[p] += shares[m]; });
  }
  return { rows, cols, out, grad };
}

export function poolRemarks(g) {
  const found = remarks(asConvolution(g));
  const small = (text) => text.replace(/^The kernel spans (.*), the padded input has (.*): .*$/, "The window spans $1, the input has $2: take a smaller window.");
  if (found.some(([kind]) => kind === "error")) return found.map(([kind, text]) => [kind, small(text)]);
  ["rows", "columns"].forEach((name, axis) => {
    const shared = g.kernel_size[axis] - g.stride[axis];
    if (shared > 0) found.push(["note", `Windows overlap: neighbours share ${shared} ${shared === 1 ? name.slice(0, -1) : name}.`]);
  });
  return found;
}

export const reads = (g) => [0, 1].map((axis) => readPlaces(asConvolution(g), axis));
