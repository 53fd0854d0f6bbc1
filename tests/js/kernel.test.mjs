// KernelLab's maths against torch's answers (kernel_cases.json, made by make_cases.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { KERNELS, filtered, kernelRemarks, turned } from "../../course/explorers/filters.js";

const cases = JSON.parse(readFileSync(new URL("./kernel_cases.json", import.meta.url)));
const isError = ([kind]) => kind === "error";

test("every picture through a kernel equals torch's, and what torch refuses is explained", () => {
  for (const { settings, out } of cases) {
    const { image, kernel } = settings, [height, width] = [image.length, image[0].length];
    assert.equal(kernelRemarks(settings, height, width).some(isError), out === null, JSON.stringify(settings));
    if (!out) continue;
    const mine = filtered(Float64Array.from(image.flat()), height, width, kernel, settings);
    assert.ok(mine.every((v, n) => Math.abs(v - out[n]) <= 1e-8 * (1 + Math.abs(out[n]))), JSON.stringify(settings));
  }
});

test("turning a kernel twice gives it back, and every preset is a full rectangle", () => {
  for (const [, kernel] of Object.values(KERNELS)) {
    assert.deepEqual(turned(turned(kernel)), kernel);
    assert.equal(new Set(kernel.map((row) => row.length)).size, 1);
  }
});

test("dividing by nothing is explained; blurs keep the brightness, edges do not", () => {
  const about = (kernel, divisor) => kernelRemarks({ kernel, divisor, border: "zeros" }, 9, 9);
  assert.ok(about([[1]], 0).some(isError));
  assert.match(about(...KERNELS.gauss.slice(1, 3))[0][1], /sum to 1: brightness stays/);
  assert.match(about(...KERNELS.laplace.slice(1, 3))[0][1], /sum to 0: flat areas become 0/);
  assert.match(about([[1, 1], [1, 1]], 4).map(([, text]) => text).join(), /even kernel has no middle/);
});
