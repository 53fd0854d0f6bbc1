// PoolLab: what a window keeps, what a shift by one pixel changes, and where the gradient goes.
import { bracketed, literal, nested, overlay, show, startInput } from "./core.js";
import { Page, el } from "./ui.js";
import { Grid, TOUCHED, UNREAD, WINDOW, WRONG } from "./grid.js";
import { pool, poolRemarks, pooled, reads, shifted, windowOf } from "./pooling.js";

const PAIR = ["rows", "columns"];
const KINDS = [["max", "the largest"], ["average", "the average"], ["l2", "the length (L2)"]];
const WORDS = { max: "the largest of", average: "the average of", l2: "the root of the summed squares of" };
export const PRESETS = {
  halve: ["2 × 2, stride 2: half the size", {}],
  alexnet: ["AlexNet: 3 × 3, stride 2, overlapping", { kernel_size: [3, 3], size: [9, 9] }],
  dense: ["3 × 3, stride 1", { kernel_size: [3, 3], stride: [1, 1] }],
  whole: ["global average", { kind: "average", kernel_size: [8, 8], stride: [8, 8] }],
  picture: ["a larger picture", { size: [32, 32] }],
};

class PoolLab {
  constructor(model) {
    this.side = "out"; // where the cursor is
    this.chosen = [0, 0]; // the last output that it was on
    this.cell = [0, 0]; // the last input
    this.pinned = null;
    const page = (this.page = new Page(model, { title: "Pooling, window by window", pythonName: "PoolLab",
      draw: () => this.draw(), keys: { Home: () => this.home() } }));
    const into = { move: (row, col) => this.go("in", row, col), type: () => this.field.select() };
    const out = { move: (row, col) => this.go("out", row, col), pin: (row, col) => this.pin(row, col) };
    this.input = new Grid(page, "Input", into);
    this.grad = new Grid(page, "Gradient", { move: into.move });
    this.output = new Grid(page, "Output", out);
    this.before = new Grid(page, "Before", out);
    this.field = page.number("value of the chosen input", () => this.now?.x?.[this.place()] ?? 0, (n) => this.edit(n),
      { step: "any", class: "cx-wide", onkeydown: (e) => e.key === "Enter" && this.input.canvas.focus() });
  }

  show(host) {
    const { page } = this;
    this.notes = el("ul", { class: "cx-remarks" });
    this.changes = el("p", { class: "cx-yours", role: "status" });
    this.formula = el("p", { class: "cx-formula" });
    this.name = el("span");
    this.input.below.append(this.name, this.field);
    this.only = page.tick("gradient of the chosen output alone", () => this.alone, (on) => { this.alone = on; page.schedule(); });
    this.grad.below.append(this.only);
    this.grids = el("div", { class: "cx-grids" }, [this.input, this.output, this.before, this.grad].map((grid) => grid.node));
    this.scrub = page.scrubber("every window in turn", { count: () => this.solve().out?.length ?? 0, at: () => this.at(),
      go: (n) => this.go("out", Math.floor(n / this.now.cols), n % this.now.cols), words: () => `row ${this.chosen[0]}, column ${this.chosen[1]}` });
    return page.show(host, this.controls(), this.notes, this.grids, this.changes, this.scrub, page.live, this.formula,
      page.code({ PyTorch: () => this.torch() }),
      page.help(["Arrows move in a grid; Enter pins an output; digits edit the chosen input; Home goes back to the start.",
        "Space plays, [ and ] step, Escape leaves the explorer."]));
  }

  controls() {
    const { page } = this, up = { min: 1 }, { defaults } = page;
    const same = ([, settings]) => Object.keys(defaults).every((k) => ["x", "shift"].includes(k) || JSON.stringify(page.state[k]) === JSON.stringify({ ...defaults, ...settings }[k]));
    const move = (axis, by) => () => page.set({ shift: page.state.shift.map((n, m) => (m === axis ? n + by : n)) });
    return el("div", { class: "cx-bar" },
      page.choice("Preset", [["", "your own"], ...Object.entries(PRESETS).map(([k, [text]]) => [k, text])],
        () => Object.keys(PRESETS).find((k) => same(PRESETS[k])) ?? "", (k) => k && page.set({ ...structuredClone(defaults), ...structuredClone(PRESETS[k][1]) })),
      page.choice("A window keeps", KINDS, () => page.state.kind, (kind) => page.set({ kind })),
      page.numbers("Input", "size", PAIR, up), page.numbers("Window", "kernel_size", PAIR, up), page.numbers("Stride", "stride", PAIR, up),
      page.group("Move the input by a pixel", page.button("↑", move(0, -1), "move the input up"), page.button("↓", move(0, 1), "move the input down"),
        page.button("←", move(1, -1), "move the input left"), page.button("→", move(1, 1), "move the input right"),
        page.button("back", () => page.set({ shift: [0, 0] }), "move the input back")),
      page.reset(() => this.home()));
  }

  solve() {
    const { page } = this, g = page.state;
    if (this.now?.version === page.version) return this.now;
    const found = poolRemarks(g), now = (this.now = { version: page.version, found, ok: !found.some(([kind]) => kind === "error") });
    if (!now.ok) return now;
    now.still = overlay(startInput(1, ...g.size), g.size, g.x);
    now.x = shifted(now.still, g.size, g.shift);
    Object.assign(now, pool(g, now.x));
    now.old = pool(g, now.still).out;
    now.read = reads(g);
    return now;
  }

  at() {
    const [row, col] = this.chosen;
    return this.now?.ok ? Math.min(row, this.now.rows - 1) * this.now.cols + Math.min(col, this.now.cols - 1) : 0;
  }

  place() {
    return this.cell[0] * this.page.state.size[1] + this.cell[1];
  }

  draw() {
    const now = this.solve(), { page } = this, { size } = page.state;
    this.notes.replaceChildren(...now.found.map(([kind, text]) => el("li", { class: `cx-${kind}` }, text)));
    for (const part of [this.grids, this.scrub, this.formula, this.changes]) part.hidden = !now.ok;
    if (!now.ok) return page.say("These settings give no picture: the reason stands above.");
    const most = [now.rows, now.cols];
    this.chosen = this.chosen.map((n, axis) => Math.min(n, most[axis] - 1));
    this.cell = this.cell.map((n, axis) => Math.min(n, size[axis] - 1));
    if (this.pinned && !this.pinned.every((n, axis) => n < most[axis])) this.pinned = null;
    const forwards = this.side === "out", source = forwards ? this.chosen : this.pinned ?? this.chosen; // whose gradient is shown alone
    this.tell(now, forwards, source, this.drawInputs(now, forwards, source));
    this.drawOutputs(now, forwards);
  }

  // Returns the gradient that is shown.
  drawInputs(now, forwards, source) {
    const { page: { state: g } } = this, [rows, cols] = g.size, flags = new Uint8Array(rows * cols);
    for (let n = 0; n < flags.length; n++) if (!(now.read[0][Math.floor(n / cols)] && now.read[1][n % cols])) flags[n] |= UNREAD;
    const places = forwards || this.alone ? windowOf(g, ...source) : [], shares = pooled(g.kind, places.map((p) => now.x[p]))[1];
    const gradFlags = flags.slice();
    places.forEach((p, n) => { flags[p] |= WINDOW; if (shares[n]) gradFlags[p] |= TOUCHED; });
    const at = forwards ? null : this.cell, moved = g.shift.some(Boolean) ? `, moved by ${g.shift.map(show).join(", ")}` : "";
    const common = { rows, cols, start: this.cell, cursor: at };
    this.input.draw({ ...common, flags, values: now.x, scale: largest(now.x), title: `Input ${rows} × ${cols}${moved}` });
    this.name.textContent = `x[${this.cell.join(", ")}] =`;
    const alone = new Float64Array(this.alone ? now.x.length : 0);
    if (this.alone) places.forEach((p, n) => { alone[p] = shares[n]; });
    const values = this.alone ? alone : now.grad;
    this.grad.draw({ ...common, flags: gradFlags, values, scale: largest(now.grad), title: `Gradient of ${this.alone ? "the chosen output" : "the summed outputs"}` });
    return values;
  }

  drawOutputs(now, forwards) {
    const { rows, cols, out, old } = now, { page: { state: g } } = this, flags = new Uint8Array(out.length), moved = g.shift.some(Boolean);
    let changed = 0, sum = 0;
    for (let n = 0; n < out.length; n++) if (Math.abs(out[n] - old[n]) > 1e-9) { changed++; sum += Math.abs(out[n] - old[n]); if (moved) flags[n] |= WRONG; }
    if (!forwards) for (let n = 0; n < out.length; n++) if (windowOf(g, Math.floor(n / cols), n % cols).includes(this.place())) flags[n] |= TOUCHED;
    const spec = { rows, cols, flags, scale: largest(out), pinned: this.pinned, cursor: forwards ? this.chosen : null };
    this.output.draw({ ...spec, values: out, title: `Output ${rows} × ${cols}` });
    this.before.node.hidden = this.changes.hidden = !moved;
    if (!moved) return;
    this.before.draw({ ...spec, flags: null, values: old, title: "Before the move" });
    this.changes.textContent = `The move changed ${changed} of ${out.length} outputs (crossed), by ${show(sum / out.length)} on average.`;
  }

  tell(now, forwards, source, grad) {
    const { page: { state: g } } = this, [row, col] = forwards ? this.chosen : this.cell;
    if (!forwards) {
      const n = this.place(), of = this.alone ? ` for output row ${source[0]}, column ${source[1]} alone` : "";
      this.formula.textContent = this.pinned ? `pinned: ${this.formulaOf(now, ...this.pinned)}` : "";
      return this.page.say(`Input row ${row}, column ${col} is ${show(now.x[n])}: its gradient is ${show(grad[n])}${of}.`);
    }
    const count = g.kernel_size[0] * g.kernel_size[1];
    this.page.say(`Output row ${row}, column ${col}: ${WORDS[g.kind]} ${count} number${count > 1 ? "s" : ""} is ${show(now.out[row * now.cols + col])}.`);
    this.formula.textContent = this.pinned ? `pinned: ${this.formulaOf(now, ...this.pinned)}` : this.formulaOf(now, row, col);
  }

  formulaOf(now, row, col) {
    const g = this.page.state, values = windowOf(g, row, col).map((p) => (g.kind === "max" ? show : bracketed)(now.x[p])), few = values.length > 25 ? [...values.slice(0, 24), "…"] : values;
    const sum = { max: `max(${few.join(", ")})`, average: `(${few.join(" + ")}) / ${values.length}`, l2: `√(${few.map((v) => `${v}²`).join(" + ")})` }[g.kind];
    return `out[${row}, ${col}] = ${sum} = ${show(now.out[row * now.cols + col])}`;
  }

  go(side, row, col) {
    this.side = side;
    this[side === "in" ? "cell" : "chosen"] = [row, col];
    this.page.schedule();
  }

  pin(row, col) {
    this.pinned = this.pinned?.[0] === row && this.pinned[1] === col ? null : [row, col];
    this.go("out", row, col);
  }

  home() {
    this.pinned = null;
    this.go("out", 0, 0);
  }

  edit(value) {
    if (!this.now?.ok) return;
    const { size, shift } = this.page.state, flat = this.now.x.slice();
    flat[this.place()] = value;
    this.page.set({ x: nested(shifted(flat, size, shift.map((n) => -n)), size) });
  }

  torch() {
    const now = this.solve(), { size, kernel_size, stride, kind } = this.page.state, two = (pair) => `(${pair.join(", ")})`;
    if (!now.ok) return now.found.map(([, text]) => `# ${text}\n`).join("");
    const name = { max: "max_pool2d(x", average: "avg_pool2d(x", l2: "lp_pool2d(x, 2" }[kind];
    return ["import torch", "import torch.nn.functional as F", "",
      `x = torch.tensor(${literal(nested(now.x, [1, 1, ...size]))}, dtype=torch.float64, requires_grad=True)`,
      `out = F.${name}, kernel_size=${two(kernel_size)}, stride=${two(stride)})`, "out.sum().backward()", "print(out)", "print(x.grad)", ""].join("\n");
  }
}

const largest = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;

export default { render: ({ model, el: host }) => new PoolLab(model).show(host) };
