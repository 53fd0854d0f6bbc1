// Maths of KernelLab: a grey picture through a kernel, the size kept.
import { sourceIndex } from "./core.js";

const rows = (text) => text.split("/").map((row) => row.trim().split(" ").map(Number));
// Name -> [what to call it, kernel, what it is divided by, how to show the result].
export const KERNELS = {
  identity: ["identity", rows("0 0 0/0 1 0/0 0 0"), 1, "as it is"],
  box: ["box blur", rows("1 1 1/1 1 1/1 1 1"), 9, "as it is"],
  gauss: ["Gaussian blur", rows("1 4 6 4 1/4 16 24 16 4/6 24 36 24 6/4 16 24 16 4/1 4 6 4 1"), 256, "as it is"],
  motion: ["motion blur", rows("1 1 1 1 1 1 1"), 7, "as it is"],
  sharpen: ["sharpen", rows("0 -1 0/-1 5 -1/0 -1 0"), 1, "as it is"],
  vertical: ["vertical edges (Sobel)", rows("-1 0 1/-2 0 2/-1 0 1"), 4, "signed"],
  horizontal: ["horizontal edges (Sobel)", rows("-1 -2 -1/0 0 0/1 2 1"), 4, "signed"],
  laplace: ["outlines (Laplace)", rows("1 1 1/1 -8 1/1 1 1"), 4, "signed"],
  emboss: ["emboss", rows("-2 -1 0/-1 1 1/0 1 2"), 1, "as it is"],
  shift: ["shift by two pixels", rows("0 0 0 0 0/0 0 0 0 0/1 0 0 0 0/0 0 0 0 0/0 0 0 0 0"), 1, "as it is"],
};

export function turned(kernel) {
  return kernel.map((row) => row.slice().reverse()).reverse();
}

// The picture with a border of `before` and `after` rows and columns, filled as the mode says.
export function bordered(image, height, width, [top, bottom, left, right], mode) {
  const across = width + left + right, out = new Float64Array((height + top + bottom) * across);
  const from = Array.from({ length: across }, (_, c) => sourceIndex(c - left, width, mode));
  for (let r = 0; r < height + top + bottom; r++) {
    const row = sourceIndex(r - top, height, mode);
    if (row < 0) continue;
    for (let c = 0; c < across; c++) if (from[c] >= 0) out[r * across + c] = image[row * width + from[c]];
  }
  return out;
}

// Correlation, or with `flip` true convolution, of a flat picture; as large as the picture.
export function filtered(image, height, width, kernel, { divisor = 1, border = "zeros", flip = false } = {}) {
  const used = flip ? turned(kernel) : kernel, kh = used.length, kw = used[0].length;
  const [top, left] = [(kh - 1) >> 1, (kw - 1) >> 1], across = width + kw - 1;
  const padded = bordered(image, height, width, [top, kh - 1 - top, left, kw - 1 - left], border), out = new Float64Array(height * width);
  for (let i = 0; i < kh; i++)
    for (let j = 0; j < kw; j++) {
      const weight = used[i][j] / divisor;
      if (!weight) continue;
      for (let r = 0; r < height; r++) addRow(out, r * width, padded, (r + i) * across + j, width, weight);
    }
  return out;
}

// A function of its own, so that engines make it fast as a whole and not while it runs.
function addRow(out, to, from, start, width, weight) {
  for (let c = 0; c < width; c++) out[to + c] += weight * from[start + c];
}

// Why a kernel cannot be used, or what it does to the brightness.
export function kernelRemarks({ kernel, divisor, border }, height, width) {
  const kh = kernel.length, kw = kernel[0].length, found = [];
  if (divisor === 0) found.push(["error", "Dividing by 0 gives no number: divide by 1, or by the sum of the kernel."]);
  const far = [kh >> 1, kw >> 1]; // the larger border of the two
  if (border === "reflect" && (far[0] >= height || far[1] >= width)) found.push(["error", "The picture is too small to be mirrored that far."]);
  if (border === "circular" && (far[0] > height || far[1] > width)) found.push(["error", "The picture is too small to be wrapped round that far."]);
  const sum = kernel.flat().reduce((total, n) => total + n, 0) / (divisor || 1);
  const bright = Math.abs(sum - 1) < 1e-9 ? "1: brightness stays" : Math.abs(sum) < 1e-9 ? "0: flat areas become 0" : `${+sum.toPrecision(4)}: flat areas change by that factor`;
  if (divisor) found.push(["note", `The weights sum to ${bright}.`]);
  if (!(kh % 2 && kw % 2)) found.push(["note", "An even kernel has no middle: the spare row or column of border goes below and to the right."]);
  if (JSON.stringify(kernel) === JSON.stringify(turned(kernel))) found.push(["note", "Turned by half a circle this kernel is the same: correlation and convolution agree."]);
  return found;
}
