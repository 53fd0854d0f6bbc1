// Shared maths of the explorers: no page, no state. Node's tests, Chromium and the notebook run this very file.
// A convolution's settings `g` are the constructor's: size [H, W], kernel_size, stride, dilation [rows, columns],
// padding [top, bottom, left, right], padding_mode, in_channels, out_channels, transposed, output_padding.

export const LARGEST = 64, MOST_NUMBERS = 1000000; // rows or columns of an input that is drawn; weights or inputs in all

export function axisOf(g, axis) {
  return {
    size: g.size[axis], kernel: g.kernel_size[axis], stride: g.stride[axis], dilation: g.dilation[axis],
    before: g.padding[2 * axis], after: g.padding[2 * axis + 1], extra: g.transposed ? g.output_padding[axis] : 0,
    mode: g.transposed ? "zeros" : g.padding_mode,
  };
}

export function outputSize(g, axis) {
  const { size, kernel, stride, dilation, before, after, extra } = axisOf(g, axis);
  const reach = dilation * (kernel - 1) + 1; // what one window spans
  if (g.transposed) return (size - 1) * stride - before - after + reach + extra;
  return Math.floor((size + before + after - reach) / stride) + 1;
}

// The formula in its shortest form: without padding where there is none, and the dilation only where there are holes.
export function sizeFormula(g, axis) {
  const { size, kernel, stride, dilation, before, after, extra } = axisOf(g, axis), holes = `${dilation} × (${kernel} − 1)`;
  const padded = (sign) => (before || after ? ` ${sign} ${before} ${sign} ${after}` : "");
  const spans = (sign) => ` ${sign} ${dilation === 1 ? kernel : `${holes} ${sign} 1`}`;
  const formula = g.transposed
    ? `(${size} − 1) × ${stride}${padded("−")}${spans("+")}${extra ? ` + ${extra}` : ""}`
    : `⌊(${size}${padded("+")}${spans("−")}) / ${stride}⌋ + 1`;
  const result = outputSize(g, axis), works = isWhole([size, kernel, stride, dilation], 1) && isWhole([before, after, extra], 0);
  return `${formula}${works && result >= 1 ? ` = ${result}` : ": no output"}`;
}

const isWhole = (numbers, least) => numbers.every((n) => Number.isInteger(n) && n >= least);

// Which place of an input of n a place p of the padded input copies; -1 where padding puts a zero.
export function sourceIndex(p, n, mode) {
  if (p >= 0 && p < n) return p;
  if (mode === "replicate") return p < 0 ? 0 : n - 1;
  if (mode === "circular") return ((p % n) + n) % n;
  if (mode === "reflect") return p < 0 ? -p : 2 * (n - 1) - p;
  return -1;
}

// For each output index of an axis its flat pairs [tap, input index, tap, input index ...]; -1 is a padded zero.
export function reach(g, axis) {
  const { size, kernel, stride, dilation, before, mode } = axisOf(g, axis);
  const out = Math.max(outputSize(g, axis), 0);
  const pairs = Array.from({ length: out }, () => []);
  const [outer, visit] = g.transposed
    ? [size, (q, t, p) => p >= 0 && p < out && pairs[p].push(t, q)]
    : [out, (q, t, p) => pairs[q].push(t, sourceIndex(p, size, mode))];
  for (let q = 0; q < outer; q++) for (let t = 0; t < kernel; t++) visit(q, t, q * stride + t * dilation - before);
  return pairs;
}

// The same links seen from the input: for each input index its flat pairs [tap, output index ...].
export function inverse(pairs, size) {
  const back = Array.from({ length: size }, () => []);
  pairs.forEach((list, out) => {
    for (let n = 0; n < list.length; n += 2) if (list[n + 1] >= 0) back[list[n + 1]].push(list[n], out);
  });
  return back;
}

// One flag for each row (or column) of the padded input: does any window read it?
export function readPlaces(g, axis) {
  const { size, kernel, stride, dilation, before, after } = axisOf(g, axis);
  const read = new Uint8Array(size + before + after);
  for (let q = 0; q < outputSize(g, axis); q++) for (let t = 0; t < kernel; t++) read[q * stride + t * dilation] = 1;
  return read;
}

export function weightIndex(g, o, c, i, j) {
  const [kh, kw] = g.kernel_size;
  return ((g.transposed ? c * g.out_channels + o : o * g.in_channels + c) * kh + i) * kw + j;
}

// One filter's map, row-major: bias plus the sum of weight x input over channels and taps.
export function forward(g, x, w, b, o) {
  const rows = reach(g, 0), cols = reach(g, 1), [height, width] = g.size;
  const out = new Float64Array(rows.length * cols.length).fill(b[o]);
  for (let c = 0; c < g.in_channels; c++)
    for (let r = 0; r < rows.length; r++)
      for (let n = 0; n < rows[r].length; n += 2) {
        const line = rows[r][n + 1];
        if (line < 0) continue;
        const from = (c * height + line) * width, weights = weightIndex(g, o, c, rows[r][n], 0);
        for (let q = 0; q < cols.length; q++) {
          const list = cols[q];
          let sum = 0;
          for (let m = 0; m < list.length; m += 2) if (list[m + 1] >= 0) sum += w[weights + list[m]] * x[from + list[m + 1]];
          out[r * cols.length + q] += sum;
        }
      }
  return out;
}

// What one output is made of: for each channel, the taps [i, j, row, column, input value, weight, product].
export function products(g, x, w, o, row, col, rows = reach(g, 0), cols = reach(g, 1)) {
  return Array.from({ length: g.in_channels }, (_, c) => {
    const taps = [];
    for (let n = 0; n < rows[row].length; n += 2)
      for (let m = 0; m < cols[col].length; m += 2) {
        const [i, r, j, q] = [rows[row][n], rows[row][n + 1], cols[col][m], cols[col][m + 1]];
        const value = r < 0 || q < 0 ? 0 : x[(c * g.size[0] + r) * g.size[1] + q];
        const weight = w[weightIndex(g, o, c, i, j)];
        taps.push([i, j, r, q, value, weight, value * weight]);
      }
    return taps;
  });
}

// Where one input goes: the links [i, j, output row, output column]; its gradient sums w[i, j] x grad_out over them.
export function touches(g, row, col, rows = inverse(reach(g, 0), g.size[0]), cols = inverse(reach(g, 1), g.size[1])) {
  const links = [];
  if (row < 0 || col < 0) return links;
  for (let n = 0; n < rows[row].length; n += 2)
    for (let m = 0; m < cols[col].length; m += 2) links.push([rows[row][n], cols[col][m], rows[row][n + 1], cols[col][m + 1]]);
  return links;
}

// Why these settings give no output, and what is worth knowing where they do. [kind, sentence] pairs.
export function remarks(g) {
  const found = [], say = (kind, text) => found.push([kind, text]);
  if (!isWhole([...g.size, ...g.kernel_size, ...g.stride, ...g.dilation, g.in_channels, g.out_channels], 1))
    say("error", "Sizes, strides, dilations and channels are whole numbers from 1 up: a stride of 0 never moves on.");
  if (!isWhole([...g.padding, ...g.output_padding], 0))
    say("error", "Padding is a whole number from 0 up: to lose rows, crop the input.");
  if (found.length) return found;
  ["rows", "columns"].forEach((name, axis) => axisRemarks(g, axis, name, say));
  if (g.transposed && g.padding_mode !== "zeros")
    say("error", `A transposed convolution knows only zeros, not “${g.padding_mode}”: torch raises ValueError too.`);
  const weights = g.in_channels * g.out_channels * g.kernel_size[0] * g.kernel_size[1], inputs = g.in_channels * g.size[0] * g.size[1];
  if (!found.some(([kind]) => kind === "error") && Math.max(weights, inputs) > MOST_NUMBERS)
    say("error", `${show(weights)} weights and ${show(inputs)} inputs are too many to work out here (${show(MOST_NUMBERS)} at most): take fewer channels or filters.`);
  return found;
}

function axisRemarks(g, axis, name, say) {
  const { size, kernel, stride, dilation, before, after, mode, extra } = axisOf(g, axis);
  const span = dilation * (kernel - 1) + 1, room = size + before + after, out = outputSize(g, axis);
  if (size > LARGEST)
    say("error", `${size} ${name} are too many to draw (${LARGEST} at most)${out >= 1 ? `; the formula still holds: ${out} out` : ""}.`);
  else if (g.transposed && out < 1) say("error", `The padding crops away all ${name} of the output: ${show(out)} are left.`);
  else if (!g.transposed && room > 4 * LARGEST) say("error", `${room} ${name} of padded input are too many to draw.`);
  else if (out > 4 * LARGEST) say("error", `${out} ${name} of output are too many to draw; the formula still holds.`);
  else if (!g.transposed && span > room)
    say("error", `The kernel spans ${span} ${name}, the padded input has ${room}: pad ${span - room} more, or take a smaller kernel or dilation.`);
  else if (mode === "reflect" && Math.max(before, after) >= size)
    say("error", `Reflecting needs padding smaller than the input: ${counted(Math.max(before, after), name)} cannot be mirrored out of ${size}.`);
  else if (mode === "circular" && Math.max(before, after) > size)
    say("error", `Wrapping round needs padding no larger than the input: ${Math.max(before, after)} is more than ${counted(size, name)}.`);
  else if (g.transposed && extra >= Math.max(stride, dilation))
    say("error", `Output padding must be smaller than the stride or the dilation: ${extra} more ${extra === 1 ? "is" : "are"} asked for against ${Math.max(stride, dilation)}.`);
  else if (!g.transposed) unreadRemark(g, axis, name, say);
}

function unreadRemark(g, axis, name, say) {
  const { before } = axisOf(g, axis), read = readPlaces(g, axis);
  const unread = [...read.keys()].filter((p) => !read[p]).map((p) => show(p - before));
  const padded = g.padding.some(Boolean) ? "padded input’s" : "input’s";
  if (unread.length) say("note", `No window reads ${unread.length} of the ${padded} ${read.length} ${name} (hatched): ${listed(unread)}.`);
}

const counted = (n, name) => `${n} ${n === 1 ? name.slice(0, -1) : name}`;
const listed = (numbers) => numbers.slice(0, 6).join(", ") + (numbers.length > 6 ? " …" : "");

// Numbers to start from: digits where they can be read, rings (a zone plate) where only the picture can.
export function startInput(channels, height, width) {
  const x = new Float64Array(channels * height * width);
  for (let c = 0, n = 0; c < channels; c++)
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++, n++)
        x[n] = Math.max(height, width) <= 12 ? hash(c, i, j) % 10 : Math.abs((((i - 5) ** 2 + (j - 5 - 3 * c) ** 2) >> 4) % 18 - 9);
  return x;
}

export function hash(c, i, j) {
  let h = (Math.imul(c + 1, 0x9e3779b1) + Math.imul(i + 1, 0x85ebca77) + Math.imul(j + 1, 0xc2b2ae3d)) >>> 0;
  h = Math.imul(h ^ (h >>> 15), 0x85ebca77) >>> 0;
  return (h ^ (h >>> 13)) >>> 0;
}

// Edge, edge the other way, blur, digits: a filter a channel in turn, so that mixed-up channels show.
export function startWeights(g) {
  const [kh, kw] = g.kernel_size, w = new Float64Array(g.out_channels * g.in_channels * kh * kw);
  const hill = (i, k) => 1 + Math.min(i, k - 1 - i), slope = (i, k) => Math.sign(k - 1 - 2 * i) || (k === 1 ? 1 : 0);
  const kinds = [(i, j) => hill(i, kh) * slope(j, kw), (i, j) => slope(i, kh) * hill(j, kw), () => 1,
    (i, j, o, c) => (hash(o, i + 7 * c, j) % 5) - 2];
  for (let o = 0; o < g.out_channels; o++)
    for (let c = 0; c < g.in_channels; c++)
      for (let i = 0; i < kh; i++)
        for (let j = 0; j < kw; j++) w[weightIndex(g, o, c, i, j)] = kinds[(o + c) % 4](i, j, o, c);
  return w;
}

export const startBias = (channels) => Float64Array.from({ length: channels }, (_, o) => o + 1);

// A number as people write it: a true minus sign; whole numbers in full, others with four digits that count, and no false zeros.
export function show(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value), text = Number.isSafeInteger(value) ? String(value)
    : size >= 1e6 ? value.toExponential(3).replace("+", "") : size >= 1e4 ? value.toFixed(0) : String(+value.toPrecision(4));
  return text.replaceAll("-", "−");
}
export const bracketed = (value) => (value < 0 ? `(${show(value)})` : show(value));

// Python source: the literal of a value, the shortest form of a pair or four sides, and the constructor call.
export function literal(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  return Number.isFinite(value) ? String(value) : `float("${Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf"}")`;
}

export function shortest(sides) {
  if (sides.every((n) => n === sides[0])) return literal(sides[0]);
  const pair = sides.length === 4 && sides[0] === sides[1] && sides[2] === sides[3];
  return `(${(pair ? [sides[0], sides[2]] : sides).join(", ")})`;
}

export function constructorCall(name, state, defaults, first = "") {
  const changed = Object.keys(defaults).filter((k) => JSON.stringify(state[k]) !== JSON.stringify(defaults[k]));
  const isSides = (k) => Array.isArray(defaults[k]) && defaults[k].length > 0 && defaults[k].every(Number.isInteger) && k !== "start";
  const given = changed.map((k) => `${k}=${isSides(k) ? shortest(state[k]) : literal(state[k])}`);
  return `${name}(${[first, ...given].filter(Boolean).join(", ")})`;
}

// A flat row-major array as nested lists of the given shape.
export function nested(flat, shape) {
  if (shape.length === 1) return Array.from(flat);
  const step = flat.length / shape[0];
  return Array.from({ length: shape[0] }, (_, n) => nested(flat.slice(n * step, (n + 1) * step), shape.slice(1)));
}

// Numbers given by hand (nested lists) laid over flat start numbers wherever both have the place.
export function overlay(start, shape, given) {
  if (!given) return start;
  const lay = (list, depth, offset) => {
    for (let n = 0; n < Math.min(shape[depth], list.length); n++) {
      const place = offset * shape[depth] + n;
      if (depth === shape.length - 1) start[place] = Number(list[n]);
      else lay(list[n], depth + 1, place);
    }
  };
  lay(given, 0, 0);
  return start;
}
