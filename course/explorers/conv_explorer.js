// ConvExplorer: one window of a convolution at a time, forwards, backwards and transposed.
import { nested, show, sizeFormula, weightIndex } from "./core.js";
import { Page, el } from "./ui.js";
import { EMPTY, Grid, PAD, TOUCHED, UNREAD, WINDOW } from "./grid.js";
import { Yours } from "./yours.js";
import { Convolution, PRESETS, largest, presetOf } from "./convolution.js";

const SIDES = ["top", "bottom", "left", "right"], PAIR = ["rows", "columns"];
const MODES = [["zeros", "zeros"], ["reflect", "reflection"], ["replicate", "repeated edge"], ["circular", "other side"]];
const KEYS = ["Arrows move in a grid: on the output you see what it is made of, on the input where it goes.",
  "Enter pins an output. Digits edit the chosen number. Home goes back to the start.",
  "Space plays, [ and ] step, Escape leaves the explorer."];

class ConvExplorer {
  constructor(model) {
    this.channel = this.filter = 0; // the ones shown
    this.cursor = { side: "out", row: 0, col: 0 };
    this.pinned = null;
    this.tap = [0, 0];
    this.cell = [0, 0]; // the input last chosen
    const page = new Page(model, { title: "Convolution, window by window", pythonName: "ConvExplorer",
      draw: () => this.draw(), keys: { Home: () => this.home() } });
    this.page = page;
    this.makeGrids();
    this.makeFields();
  }

  makeGrids() {
    const { page } = this, small = { biggest: 30, tall: 240 };
    const out = { move: (row, col) => this.go("out", row, col), pin: (row, col) => this.pin(row, col) };
    const type = (field) => () => this[field].select(); // the digit typed then lands in the field
    this.input = new Grid(page, "Input", { move: (row, col) => this.go("in", row, col), type: type("xField") });
    this.kernel = new Grid(page, "Kernel", { ...small, type: type("wField"),
      move: (i, j) => { this.tap = [i, j]; page.schedule(); } });
    this.output = new Grid(page, "Output", out);
    this.yours = new Yours(page, out);
    this.window = new Grid(page, "Input under the kernel", small);
    this.product = new Grid(page, "Products", small);
    for (const grid of [this.kernel, this.window, this.product]) grid.node.classList.add("cx-small");
  }

  makeFields() {
    const { page } = this;
    [this.xName, this.wName, this.bName] = [el("span"), el("span"), el("span")];
    const field = (label, grid, key, place) => page.number(label, () => (this.now?.ok ? (this.now[key][place()] ?? 0) : 0),
      (value) => this.edit(key, place(), value),
      { step: "any", class: "cx-wide", onkeydown: (e) => e.key === "Enter" && grid.canvas.focus() });
    this.xField = field("value of the chosen input", this.input, "x", () => this.xPlace());
    this.wField = field("value of the chosen weight", this.kernel, "w", () => this.wPlace());
    const bField = field("bias of the filter", this.kernel, "b", () => this.filter);
    this.input.below.append(this.xName, this.xField);
    this.kernel.below.append(el("span", {}, this.wName, this.wField), el("span", {}, this.bName, bField));
  }

  show(host) {
    const { page } = this;
    this.notes = el("ul", { class: "cx-remarks" });
    this.sizes = el("p", { class: "cx-formula" });
    this.formula = el("p", { class: "cx-formula" });
    this.grids = el("div", { class: "cx-grids" }, [this.input, this.kernel, this.output, this.yours.grid].map((grid) => grid.node));
    this.work = el("div", { class: "cx-grids" }, this.window.node, this.product.node);
    this.scrub = page.scrubber("every window in turn", { count: () => this.course().count, at: () => this.course().at,
      go: (n) => this.goTo(n), words: () => `row ${this.cursor.row}, column ${this.cursor.col}` });
    return page.show(host, this.controls(), this.notes, this.sizes, this.pickers(), this.grids, this.yours.told, this.scrub,
      page.live, this.formula, this.work, page.code({ PyTorch: () => this.solve().torch() }), page.help(KEYS));
  }

  controls() {
    const { page } = this, up = { min: 1 };
    const count = (label, key) => page.group(label, page.number(label, () => page.state[key], (n) => page.set({ [key]: n }), up));
    this.extra = page.numbers("Output padding", "output_padding", PAIR);
    const presets = [["", "your own"], ...Object.entries(PRESETS).map(([name, [text]]) => [name, text])];
    const choose = (name) => name && page.set({ ...structuredClone(page.defaults), ...structuredClone(PRESETS[name][1]) });
    return el("div", { class: "cx-bar" },
      page.choice("Preset", presets, () => presetOf(page.state, page.defaults), choose),
      page.numbers("Input", "size", PAIR, up), page.numbers("Kernel", "kernel_size", PAIR, up),
      page.numbers("Stride", "stride", PAIR, up), page.numbers("Padding (top, bottom, left, right)", "padding", SIDES, { min: 0 }),
      page.choice("Padded with", MODES, () => page.state.padding_mode, (padding_mode) => page.set({ padding_mode })),
      page.numbers("Dilation", "dilation", PAIR, up), count("Channels", "in_channels"), count("Filters", "out_channels"), this.extra,
      page.tick("transposed", () => page.state.transposed, (on) => this.turn(on)), page.reset(() => this.home()));
  }

  pickers() {
    const { page } = this;
    const pick = (what, key) => page.number(`${what} shown`, () => this[what], (n) => {
      this[what] = Math.max(0, Math.min(page.state[key] - 1, Math.round(n)));
      page.schedule();
    }, { min: 0 });
    return (this.picks = el("div", { class: "cx-row" }, "Shown: channel ", pick("channel", "in_channels"), " of filter ", pick("filter", "out_channels")));
  }

  // The convolution of the present settings, worked out once a change.
  solve() {
    if (this.version !== this.page.version || !this.now) {
      this.now = new Convolution(this.page.state);
      this.version = this.page.version;
      this.yours.ask(this.now);
    }
    return this.now;
  }

  draw() {
    const now = this.solve(), { page } = this, known = PRESETS[presetOf(page.state, page.defaults)]?.[2];
    const lines = known ? [...now.found, ["note", known]] : now.found;
    this.notes.replaceChildren(...lines.map(([kind, text]) => el("li", { class: `cx-${kind}` }, text)));
    this.sizes.textContent = `rows out    = ${sizeFormula(now.g, 0)}\ncolumns out = ${sizeFormula(now.g, 1)}`;
    this.extra.hidden = !now.g.transposed;
    this.picks.hidden = !(now.g.in_channels > 1 || now.g.out_channels > 1);
    for (const part of [this.grids, this.yours.told, this.scrub, this.formula, this.work]) part.hidden = !now.ok;
    if (!now.ok) return page.say("These settings give no picture: the reason stands above.");
    this.clamp(now);
    const { side, row, col } = this.cursor, forwards = side === "out";
    const links = forwards ? now.products(this.filter, row, col)[this.channel] : now.touches(row, col);
    this.drawInput(now, links, forwards);
    this.drawKernel(now, links, forwards);
    this.drawOutput(now, links, forwards);
    this.drawWork(now, links, forwards);
    this.tell(now, forwards);
  }

  clamp({ g, out, origin, padded }) {
    const { cursor } = this, forwards = cursor.side === "out", within = (n, first, count) => Math.max(first, Math.min(first + count - 1, n));
    cursor.row = within(cursor.row, forwards ? 0 : origin[0], forwards ? out[0] : padded[0]);
    cursor.col = within(cursor.col, forwards ? 0 : origin[1], forwards ? out[1] : padded[1]);
    if (this.pinned && !this.pinned.every((n, axis) => n < out[axis])) this.pinned = null;
    this.channel = Math.min(this.channel, g.in_channels - 1);
    this.filter = Math.min(this.filter, g.out_channels - 1);
    this.tap = this.tap.map((n, axis) => Math.min(n, g.kernel_size[axis] - 1));
  }

  drawInput(now, links, forwards) {
    const { g, origin: [top, left], padded: [rows, cols] } = now, { values, outside, unread, scale } = now.input(this.channel);
    const flags = Uint8Array.from(outside, (out, n) => (out ? PAD : 0) | (unread[n] ? UNREAD : 0)), { row, col } = this.cursor;
    for (const [i, j, r, c] of forwards ? links : []) {
      const [y, x] = g.transposed ? [r, c] : now.under([row, col], i, j);
      flags[(y - top) * cols + x - left] |= WINDOW;
    }
    const padded = rows * cols > g.size[0] * g.size[1] ? `, padded to ${rows} by ${cols}` : "";
    this.input.draw({ title: `Input ${g.size.join(" × ")}${g.in_channels > 1 ? `, channel ${this.channel}` : ""}${padded}`,
      rows, cols, top, left, values, flags, scale, start: this.cell, cursor: forwards ? null : [row, col] });
    const place = this.xPlace();
    this.xField.disabled = place < 0;
    this.xName.textContent = place < 0 ? "padding" : `x[${[this.channel, ...this.cell].join(", ")}] =`;
  }

  drawKernel(now, links, forwards) {
    const { g } = now, [rows, cols] = g.kernel_size, values = now.kernel(this.filter, this.channel);
    const flags = new Uint8Array(rows * cols);
    if (!forwards || g.transposed) for (const [i, j] of links) flags[i * cols + j] |= TOUCHED;
    this.kernel.draw({ title: `Kernel ${rows} × ${cols}`, rows, cols, values, flags, scale: largest(values), cursor: this.tap });
    this.wName.textContent = `w[${this.tap.join(", ")}] =`;
    this.bName.textContent = `b[${this.filter}] =`;
  }

  drawOutput(now, links, forwards) {
    const { g, out: [rows, cols] } = now, values = now.map(this.filter), flags = new Uint8Array(rows * cols), { row, col } = this.cursor;
    if (g.transposed) for (let n = 0; n < flags.length; n++) if (!now.links[0][Math.floor(n / cols)].length || !now.links[1][n % cols].length) flags[n] |= UNREAD;
    if (!forwards) for (const [, , r, c] of links) flags[r * cols + c] |= TOUCHED;
    const title = `Output ${rows} × ${cols}${g.out_channels > 1 ? `, filter ${this.filter}` : ""}`;
    const spec = { title, rows, cols, values, flags, scale: largest(values), pinned: this.pinned, cursor: forwards ? [row, col] : null };
    this.output.draw(spec);
    this.yours.draw(now, spec, this.filter);
  }

  drawWork(now, links, forwards) {
    const [rows, cols] = now.g.kernel_size, size = rows * cols, flags = new Uint8Array(size).fill(EMPTY), words = [], goals = []; // of each tap; padding that copies an input gives a tap several
    const [left, right] = [new Float64Array(size), new Float64Array(size)];
    for (const [i, j, r, c, value, , product] of links) {
      const n = i * cols + j;
      flags[n] = forwards && (r < 0 || c < 0) ? PAD : 0;
      left[n] = forwards ? value : 0;
      right[n] = forwards ? product : now.weight(this.filter, this.channel, i, j);
      if (forwards) words[n] = show(value);
      else words[n] = (goals[n] ??= []).push(`${r},${c}`) > 1 ? `${goals[n][0]} +${goals[n].length - 1}` : goals[n][0];
    }
    const common = { rows, cols, flags, bare: true };
    this.window.draw({ ...common, values: left, scale: largest(left), text: (n) => words[n], title: forwards ? "Input under the kernel" : "Goes to output (row, column)" });
    this.product.draw({ ...common, values: right, scale: largest(right), title: forwards ? "× kernel = products" : "times this weight" });
  }

  tell(now, forwards) {
    const { filter, channel, pinned, cursor: { row, col } } = this, lines = pinned ? [`pinned: ${now.formula(filter, ...pinned)}`] : [];
    if (forwards) {
      const n = (filter * now.out[0] + row) * now.out[1] + col;
      this.page.say(now.sentence(filter, row, col) + this.yours.remark(n, show));
      if (!pinned) lines.push(now.formula(filter, row, col));
    } else {
      this.page.say(now.sentenceOfInput(row, col));
      lines.push(now.gradient(filter, channel, row, col));
    }
    this.formula.textContent = lines.filter(Boolean).join("\n");
  }

  go(side, row, col) {
    this.cursor = { side, row, col };
    if (side === "in" && this.now?.ok) this.cell = this.now.source(row, col);
    this.page.schedule();
  }

  pin(row, col) {
    this.pinned = this.pinned?.[0] === row && this.pinned[1] === col ? null : [row, col];
    this.go("out", row, col);
  }

  home() {
    this.pinned = null;
    this.tap = [0, 0];
    this.go(this.page.state.transposed ? "in" : "out", 0, 0);
  }

  // The scrubber's way: over the outputs; transposed, over the inputs, each of which stamps the kernel.
  course() {
    const now = this.solve(), [rows, cols] = now.ok ? (now.g.transposed ? now.g.size : now.out) : [0, 0];
    const at = Math.max(0, Math.min(rows - 1, this.cursor.row)) * cols + Math.max(0, Math.min(cols - 1, this.cursor.col));
    return { cols, count: rows * cols, at };
  }

  goTo(n) {
    const { cols, count } = this.course();
    if (count) this.go(this.page.state.transposed ? "in" : "out", Math.floor(n / cols), n % cols);
  }

  // The input to edit: the one last chosen. -1 where it is padding.
  xPlace() {
    const [row, col] = this.cell, { channel, now: { g: { size } } } = this;
    return row < 0 || col < 0 || row >= size[0] || col >= size[1] ? -1 : (channel * size[0] + row) * size[1] + col;
  }

  wPlace() {
    return weightIndex(this.now.g, this.filter, this.channel, ...this.tap);
  }

  edit(key, place, value) {
    if (!this.now?.ok || place < 0) return;
    const flat = this.now[key].slice();
    flat[place] = value;
    this.page.set({ [key]: nested(flat, this.now.shapes[key]) });
  }

  // Turning the convolution round swaps the first two axes of weights that were given or edited.
  turn(transposed) {
    const { w } = this.page.state;
    const swapped = w && Array.from(w[0], (_, n) => w.map((row) => row[n]));
    this.cursor = { side: transposed ? "in" : "out", row: 0, col: 0 };
    this.page.set({ transposed, w: swapped });
  }

}

export default { render: ({ model, el: host }) => new ConvExplorer(model).show(host) };
