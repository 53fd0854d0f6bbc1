// KernelLab: a photograph, an upload or a drawing through a kernel that is edited live.
import { literal, overlay, show, startInput } from "./core.js";
import { Page, el } from "./ui.js";
import { Grid } from "./grid.js";
import { KERNELS, filtered, kernelRemarks, turned } from "./filters.js";

const SIDE = 256, BRUSH = 5;
const PICTURES = [["photo", "photograph"], ["drawing", "a drawing of yours"], ["upload", "an upload"], ["rings", "rings"], ["image", "the image given"]];
const BORDERS = [["zeros", "zeros"], ["reflect", "reflection"], ["replicate", "repeated edge"], ["circular", "other side"]];
const SHOWN = [["as it is", "as it is (0 to 255)"], ["signed", "signed (grey is 0)"], ["size", "its size (black is 0)"]];

class KernelLab {
  constructor(model) {
    this.at = [128, 128];
    this.tap = [1, 1];
    const page = (this.page = new Page(model, { title: "A picture through a kernel", pythonName: "KernelLab",
      draw: () => this.draw(), keys: { Home: () => this.go(0, 0) } }));
    this.photo = Float64Array.from(atob(model.get("_photo")), (letter) => letter.charCodeAt(0));
    this.drawing = new Float64Array(SIDE * SIDE);
    this.upload = null;
    this.source = new Grid(page, "Picture", { move: (...to) => this.go(...to), pin: (row, col) => this.dab(row, col), biggest: 20, tall: 400 });
    this.result = new Grid(page, "Result", { move: (row, col) => this.go(row, col), biggest: 20, tall: 400 });
    this.kernel = new Grid(page, "Kernel", { move: (i, j) => { this.tap = [i, j]; page.schedule(); }, type: () => this.field.select(), biggest: 34, tall: 240 });
    this.kernel.node.classList.add("cx-small");
    this.field = page.number("weight chosen", () => page.state.kernel[this.tap[0]]?.[this.tap[1]] ?? 0, (n) => this.edit(n),
      { step: "any", class: "cx-wide", onkeydown: (e) => e.key === "Enter" && this.kernel.canvas.focus() });
  }

  show(host) {
    const { page } = this;
    this.notes = el("ul", { class: "cx-remarks" });
    this.formula = el("p", { class: "cx-formula" });
    this.name = el("span");
    const by = (n) => () => this.edit(page.state.kernel[this.tap[0]][this.tap[1]] + n);
    this.kernel.below.append(el("span", {}, this.name, this.field), page.button("−", by(-1), "less weight"), page.button("+", by(1), "more weight"));
    this.scrub = page.scrubber("every pixel of the row", { count: () => this.size()[1], at: () => this.at[1], go: (n) => this.go(this.at[0], n), words: () => `column ${this.at[1]}`, pace: 30 });
    return page.show(host, this.controls(), this.notes, el("div", { class: "cx-grids" }, this.source.node, this.kernel.node, this.result.node),
      this.scrub, page.live, this.formula, page.code({ PyTorch: () => this.torch() }),
      page.help(["Arrows move in a grid, digits edit the chosen weight, Home goes to the first pixel.",
        "Drawing: Enter puts a dot, Shift with an arrow draws a line.", "Space plays along the row, [ and ] step, Escape leaves the explorer."]));
  }

  controls() {
    const { page } = this, presets = [["", "your own"], ...Object.entries(KERNELS).map(([key, [text]]) => [key, text])];
    const file = el("input", { type: "file", accept: "image/*", "aria-label": "picture to upload", onchange: () => this.read(file.files[0]) });
    this.file = page.group("Your picture (stays on this computer)", file);
    this.clear = page.button("Clear the drawing", () => { this.drawing = new Float64Array(SIDE * SIDE); this.changed(); });
    const resize = (axis) => (n) => Number.isInteger(n) && n >= 1 && n <= 15 && this.resize(axis, n);
    const pictures = page.choice("Picture", PICTURES, () => page.state.picture, (picture) => page.set({ picture }));
    this.image = pictures.querySelector("option[value=image]");
    return el("div", { class: "cx-bar" }, pictures, this.file, this.clear,
      page.choice("Kernel", presets, () => this.preset(), (key) => key && this.choose(KERNELS[key])),
      page.group("Its size (1 to 15)", page.number("kernel rows", () => page.state.kernel.length, resize(0), { min: 1, max: 15 }),
        page.number("kernel columns", () => page.state.kernel[0].length, resize(1), { min: 1, max: 15 })),
      page.group("Divided by", page.number("divided by", () => page.state.divisor, (divisor) => page.set({ divisor }), { step: "any", class: "cx-wide" })),
      page.choice("Border", BORDERS, () => page.state.border, (border) => page.set({ border })),
      page.choice("Shown", SHOWN, () => page.state.shown, (shown) => page.set({ shown })),
      page.tick("true convolution (kernel turned)", () => page.state.flip, (flip) => page.set({ flip })), page.reset());
  }

  preset() {
    const { kernel, divisor } = this.page.state;
    return Object.keys(KERNELS).find((key) => JSON.stringify([kernel, divisor]) === JSON.stringify(KERNELS[key].slice(1, 3))) ?? "";
  }

  choose([, kernel, divisor, shown]) {
    this.page.set({ kernel: structuredClone(kernel), divisor, shown });
  }

  resize(axis, n) {
    const { kernel } = this.page.state, [rows, cols] = axis ? [kernel.length, n] : [n, kernel[0].length];
    if (JSON.stringify(kernel) !== JSON.stringify(this.resized)) this.whole = kernel; // else typing 11 would leave the one row of its first 1
    const [down, right] = [(rows - this.whole.length) >> 1, (cols - this.whole[0].length) >> 1]; // the middle stays the middle
    this.resized = Array.from({ length: rows }, (_, i) => Array.from({ length: cols }, (_, j) => this.whole[i - down]?.[j - right] ?? 0));
    this.page.set({ kernel: this.resized });
  }

  edit(value) {
    this.page.set({ kernel: this.page.state.kernel.map((row, i) => row.map((old, j) => (i === this.tap[0] && j === this.tap[1] ? value : old))) });
  }

  changed() {
    this.page.version++;
    this.page.schedule();
  }

  // Height, width and numbers of the picture in use.
  picture() {
    const { picture, image } = this.page.state;
    if (picture === "image" && image) return this.given(image);
    if (picture === "rings") return [SIDE, SIDE, (this.rings ??= startInput(1, SIDE, SIDE).map((v) => Math.round(v * 28.3)))];
    if (picture === "upload") return [SIDE, SIDE, this.upload ?? this.photo];
    return [SIDE, SIDE, picture === "drawing" ? this.drawing : this.photo];
  }

  given(image) {
    const shape = [image.length, image[0].length];
    if (this.from !== image) Object.assign(this, { from: image, own: overlay(new Float64Array(shape[0] * shape[1]), shape, image) });
    return [...shape, this.own];
  }

  // What is said where the photograph stands for a picture that is missing.
  standIn() {
    const { picture, image } = this.page.state;
    if (picture === "upload" && !this.upload) return [["note", "No file is chosen yet: this is the photograph."]];
    return picture === "image" && !image ? [["note", "No image was given: this is the photograph."]] : [];
  }

  size() {
    return this.picture().slice(0, 2);
  }

  async read(file) {
    if (!file) return;
    const paper = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE }).getContext("2d");
    try {
      const bitmap = await createImageBitmap(file), side = Math.min(bitmap.width, bitmap.height);
      paper.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, SIDE, SIDE);
    } catch {
      this.page.settle(); // else a frame that waits would say its own sentence over this one
      return this.page.say("This file is no picture that the browser can read: take a PNG or a JPEG.");
    }
    this.page.set({ picture: "upload" });
    const { data } = paper.getImageData(0, 0, SIDE, SIDE);
    this.upload = Float64Array.from({ length: SIDE * SIDE }, (_, n) => Math.round(0.299 * data[4 * n] + 0.587 * data[4 * n + 1] + 0.114 * data[4 * n + 2]));
    this.changed();
  }

  dab(row, col) {
    if (this.page.state.picture !== "drawing") return;
    this.drawing = this.drawing.slice();
    for (let r = Math.max(0, row - BRUSH); r <= Math.min(SIDE - 1, row + BRUSH); r++)
      for (let c = Math.max(0, col - BRUSH); c <= Math.min(SIDE - 1, col + BRUSH); c++)
        if ((r - row) ** 2 + (c - col) ** 2 <= BRUSH ** 2) this.drawing[r * SIDE + c] = 255;
    this.changed();
  }

  // A line of the drawing runs on from the place before, but a finger or a button put down begins a new one.
  go(row, col, pressed = false, how = "") {
    const [from, start] = how === "down" ? [row, col] : this.at, steps = Math.max(Math.abs(row - from), Math.abs(col - start), 1);
    if (pressed && this.page.state.picture === "drawing")
      for (let n = 0; n <= steps; n += 2) this.dab(Math.round(from + ((row - from) * n) / steps), Math.round(start + ((col - start) * n) / steps));
    this.at = [row, col];
    this.page.schedule();
  }

  solve() {
    const { page } = this, [height, width, values] = this.picture();
    if (this.version === page.version && this.now?.values === values) return this.now;
    const { kernel, divisor, border, flip, shown } = page.state, found = [...this.standIn(), ...kernelRemarks(page.state, height, width)];
    const out = found.some(([kind]) => kind === "error") ? null : filtered(values, height, width, kernel, { divisor, border, flip });
    const given = this.now?.values === values ? this.now.given : look(values, "as it is").seen;
    this.version = page.version;
    return (this.now = { height, width, values, found, out, given, ...(out ? look(out, shown) : {}) });
  }

  draw() {
    const now = this.solve(), { page } = this, { state } = page, { height: rows, width: cols } = now;
    this.image.hidden = this.image.disabled = !state.image;
    this.file.hidden = state.picture !== "upload";
    this.clear.hidden = state.picture !== "drawing";
    this.source.canvas.style.touchAction = state.picture === "drawing" ? "none" : "";
    this.notes.replaceChildren(...now.found.map(([kind, text]) => el("li", { class: `cx-${kind}` }, text)));
    this.at = [Math.min(this.at[0], rows - 1), Math.min(this.at[1], cols - 1)];
    this.tap = [Math.min(this.tap[0], state.kernel.length - 1), Math.min(this.tap[1], state.kernel[0].length - 1)];
    const leap = state.picture === "drawing" ? 8 : 1;
    const common = { rows, cols, scale: 1, grey: true, bare: true, cursor: this.at };
    this.source.draw({ ...common, leap, values: now.given, title: `Picture, ${rows} × ${cols}` });
    const flat = Float64Array.from(state.kernel.flat()), most = flat.reduce((top, v) => Math.max(top, Math.abs(v)), 0) || 1;
    this.kernel.draw({ rows: state.kernel.length, cols: state.kernel[0].length, values: flat, scale: most, cursor: this.tap, title: `Kernel ${state.kernel.length} × ${state.kernel[0].length}` });
    this.name.textContent = `weight [${this.tap.join(", ")}] =`;
    this.result.node.hidden = this.scrub.hidden = !now.out;
    if (!now.out) return page.say("There is no result: the reason stands above.");
    this.result.draw({ ...common, values: now.seen, title: "Result" });
    this.tell(now);
  }

  tell({ width, out, values, low, high }) {
    const [row, col] = this.at, { state } = this.page, n = row * width + col;
    this.page.say(`Row ${row}, column ${col}: ${show(values[n])} becomes ${show(out[n])}. The result runs from ${show(low)} to ${show(high)}.`);
    const way = state.flip ? "convolution: out[r, c] = Σ kernel[i, j] · picture[r − i, c − j]" : "correlation: out[r, c] = Σ kernel[i, j] · picture[r + i, c + j]";
    this.formula.textContent = `${way}, i and j counted from the kernel’s middle${state.divisor === 1 ? "" : `, divided by ${show(state.divisor)}`}`;
  }

  torch() {
    const { kernel, divisor, border, flip } = this.page.state, kh = kernel.length, kw = kernel[0].length, top = (kh - 1) >> 1, left = (kw - 1) >> 1;
    const mode = border === "zeros" ? "constant" : border;
    return ["import torch", "import torch.nn.functional as F", "", "picture = torch.rand(1, 1, 256, 256, dtype=torch.float64) * 255  # yours here",
      `kernel = torch.tensor(${literal(flip ? turned(kernel) : kernel)}, dtype=torch.float64)${flip ? "  # turned: true convolution" : ""}`,
      `picture = F.pad(picture, (${left}, ${kw - 1 - left}, ${top}, ${kh - 1 - top}), mode="${mode}")`,
      `out = F.conv2d(picture, kernel[None, None] / ${divisor})`, "print(out.shape)", ""].join("\n");
  }
}

// Numbers from 0 to 255, or as `shown` says, as the grid's -1 to 1; and how far they reach.
function look(values, shown) {
  const seen = new Float32Array(values.length);
  let low = Infinity, high = -Infinity;
  for (let n = 0; n < values.length; n++) {
    const v = values[n];
    if (v < low) low = v;
    if (v > high) high = v;
    seen[n] = (shown === "signed" ? v / 2 : (shown === "size" ? Math.abs(v) : v) - 127.5) / 127.5;
  }
  return { seen, low, high };
}

export default { render: ({ model, el: host }) => new KernelLab(model).show(host) };
