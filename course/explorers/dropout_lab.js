// DropoutLab: masks over a small net, and the average over many of them against the whole net.
import { literal, show } from "./core.js";
import { Page, el } from "./ui.js";
import { Grid, TOUCHED, WRONG } from "./grid.js";
import { agreement, dropRemarks, expectation, maskOf, net, through } from "./masks.js";

class DropoutLab {
  constructor(model) {
    const page = (this.page = new Page(model, { title: "Dropout, mask by mask", pythonName: "DropoutLab",
      draw: () => this.draw(), keys: { Home: () => this.goTo(0) } }));
    this.number = 0; // the mask shown
    this.flips = new Set(); // units turned by hand in it
    this.at = [0, 0];
    this.mask = new Grid(page, "Mask", { biggest: 34, move: (row, col) => { this.at = [row, col]; page.schedule(); }, pin: (row, col) => this.flip(row, col) });
    this.picture = el("canvas", { role: "img", "aria-label": "the net" });
    this.chart = el("canvas", { role: "img", "aria-label": "the average over masks" });
  }

  show(host) {
    const { page } = this, whole = (label, key) => page.group(label, page.number(label, () => page.state[key], (n) => page.set({ [key]: n }), { min: 1 }));
    const put = (n) => (value) => page.set({ x: page.state.x.map((old, m) => (m === n ? value : old)) });
    this.notes = el("ul", { class: "cx-remarks" });
    this.sums = el("p", { class: "cx-formula" });
    this.mask.below.append("Choose a unit to drop it or take it back: Enter, click or tap.");
    const slider = el("input", { type: "range", min: 0, max: 1, step: 0.05, "aria-label": "p by slider", oninput: () => page.set({ p: slider.valueAsNumber }) });
    page.fields.push(() => { slider.value = page.state.p; });
    const bar = el("div", { class: "cx-bar" },
      page.group("p, the probability of dropping", page.number("p", () => page.state.p, (p) => page.set({ p }), { step: 0.05, class: "cx-wide" }), slider),
      page.choice("The net is", [["training", "in training: with masks"], ["evaluation", "in evaluation: whole"]], () => (page.state.training ? "training" : "evaluation"), (way) => page.set({ training: way === "training" })),
      page.choice("Scaled", [["inverted", "in training, by 1 / (1 − p)"], ["classic", "in evaluation, by 1 − p"]], () => (page.state.inverted ? "inverted" : "classic"), (way) => page.set({ inverted: way === "inverted" })),
      page.choice("Hidden units are", [["relu", "ReLU"], ["linear", "linear"]], () => page.state.activation, (activation) => page.set({ activation })),
      whole("Units a layer", "units"), whole("Masks", "masks"),
      page.group("Input", [0, 1, 2].map((n) => page.number(`input ${n}`, () => page.state.x[n] ?? 0, put(n), { step: "any" }))), page.reset(() => this.goTo(0)));
    const figure = (title, canvas) => el("figure", { class: "cx-grid" }, el("figcaption", {}, title), canvas);
    this.net = figure("The net", this.picture);
    this.average = figure("Average output over the first masks", this.chart);
    this.scrub = page.scrubber("mask by mask", { count: () => page.state.masks, at: () => this.number, go: (n) => this.goTo(n), words: () => `mask ${this.number}`, pace: 150 });
    this.grids = el("div", { class: "cx-grids" }, this.net, this.mask.node, this.average);
    return page.show(host, bar, this.notes, this.grids, this.scrub, page.live, this.sums, page.code({ PyTorch: () => this.torch() }),
      page.help(["Arrows choose a unit of the mask, Enter drops it or takes it back.", "Space plays through the masks, [ and ] step, Home goes to the first, Escape leaves the explorer."]));
  }

  goTo(n) {
    this.number = n;
    this.flips.clear();
    this.page.schedule();
  }

  // In evaluation nothing is dropped, and for p = 1 everything is.
  turnable() {
    return this.page.state.training && this.page.state.p < 1;
  }

  flip(row, col) {
    this.at = [row, col];
    if (!this.turnable()) return;
    const unit = `${row},${col}`;
    if (!this.flips.delete(unit)) this.flips.add(unit);
    this.page.schedule();
  }

  masks() {
    const { units, p } = this.page.state;
    return maskOf(this.number, units, p).map((row, layer) => row.map((bit, unit) => (this.turnable() && this.flips.has(`${layer},${unit}`) ? 1 - bit : bit)));
  }

  solve() {
    const { page } = this, { state } = page;
    if (this.now?.version === page.version) return this.now;
    const found = dropRemarks(state), ok = !found.some(([kind]) => kind === "error"), now = (this.now = { version: page.version, found, ok });
    if (!ok) return now;
    now.layers = net(state.units);
    now.whole = through(now.layers, state.x, state, null);
    now.expected = expectation(now.layers, state.x, state);
    let sum = 0;
    now.means = Float64Array.from({ length: state.masks }, (_, n) => (sum += through(now.layers, state.x, state, maskOf(n, state.units, state.p))[3][0]) / (n + 1));
    return now;
  }

  draw() {
    const now = this.solve(), { page } = this, { state } = page;
    this.notes.replaceChildren(...now.found.map(([kind, text]) => el("li", { class: `cx-${kind}` }, text)));
    for (const part of [this.grids, this.scrub, this.sums]) part.hidden = !now.ok;
    if (!now.ok) return page.say("There is no net: the reason stands above.");
    this.number = Math.min(this.number, state.masks - 1);
    this.at = [this.at[0], Math.min(this.at[1], state.units - 1)];
    const masks = state.training ? this.masks() : null, values = through(now.layers, state.x, state, masks);
    const bits = Float64Array.from((masks ?? [0, 1].map(() => Array(state.units).fill(1))).flat());
    this.mask.below.hidden = !this.turnable();
    this.mask.draw({ rows: 2, cols: state.units, values: bits, scale: 2, cursor: this.at, flags: Uint8Array.from(bits, (bit) => (bit ? TOUCHED : WRONG)),
      text: (n) => (bits[n] ? "on" : "off"), title: state.training ? `Mask ${this.number} (a row a hidden layer)` : "In evaluation nothing is dropped" });
    this.drawNet(now, values, masks);
    this.drawChart(now);
    const dropped = bits.length - bits.reduce((sum, bit) => sum + bit, 0), out = values[3][0];
    const first = state.training ? `Mask ${this.number} drops ${dropped} of ${bits.length} hidden units and gives ${show(out)}.` : `The whole net gives ${show(out)}.`;
    page.say(`${first} The mean of ${state.masks} masks is ${show(now.means.at(-1))}, of all ${4 ** state.units} masks by their odds ${show(now.expected)}; the whole net, scaled, gives ${show(now.whole[3][0])}.`);
    this.sums.textContent = agreement(state, now.expected, now.whole[3][0]).join("\n");
  }

  paper(canvas, width, height) {
    const dense = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: width * dense, height: height * dense });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    const paper = canvas.getContext("2d");
    paper.scale(dense, dense);
    paper.textAlign = "center";
    paper.textBaseline = "middle";
    return paper;
  }

  drawNet({ layers }, values, masks) {
    const { page } = this, width = Math.min(420, this.net.clientWidth - 2), height = 250, paper = this.paper(this.picture, width, height);
    const at = (layer, n) => [24 + ((width - 48) * layer) / 3, (height * (n + 1)) / (values[layer].length + 1)];
    const off = (layer, n) => masks && (layer === 1 || layer === 2) && !masks[layer - 1][n];
    layers.forEach(({ w }, layer) => w.forEach((row, to) => row.forEach((v, from) => {
      if (!v || off(layer, from) || off(layer + 1, to)) return;
      paper.strokeStyle = page.shade(Math.sign(v) * 0.9);
      paper.lineWidth = 3 * Math.abs(v);
      paper.setLineDash(v < 0 ? [5, 3] : []);
      paper.beginPath(); paper.moveTo(...at(layer, from)); paper.lineTo(...at(layer + 1, to)); paper.stroke();
    })));
    paper.setLineDash([]);
    values.forEach((list, layer) => list.forEach((v, n) => {
      const [x, y] = at(layer, n);
      paper.beginPath(); paper.arc(x, y, 17, 0, 7);
      paper.fillStyle = off(layer, n) ? page.shade(0) : page.shade(v / 3);
      paper.fill();
      paper.strokeStyle = off(layer, n) ? page.ink.bad : page.ink.text;
      paper.lineWidth = 1.5;
      paper.stroke();
      if (off(layer, n)) { paper.beginPath(); paper.moveTo(x - 11, y - 11); paper.lineTo(x + 11, y + 11); paper.moveTo(x + 11, y - 11); paper.lineTo(x - 11, y + 11); paper.stroke(); return; }
      paper.fillStyle = page.ink.text;
      paper.font = "11px system-ui, sans-serif";
      paper.fillText(show(Math.round(100 * v) / 100), x, y);
    }));
  }

  drawChart({ means, whole, expected }) {
    const { page } = this, width = Math.min(420, this.average.clientWidth - 2), height = 200, paper = this.paper(this.chart, width, height), target = whole[3][0];
    const all = [...means, target, expected], low = Math.min(...all), span = Math.max(...all) - low || 1;
    const x = (n) => 6 + ((width - 12) * n) / Math.max(1, means.length - 1), y = (v) => height - 24 - ((height - 48) * (v - low)) / span;
    const line = (v, dash, word, down) => {
      paper.strokeStyle = paper.fillStyle = page.ink.text;
      paper.lineWidth = 1.2;
      paper.setLineDash(dash);
      paper.beginPath(); paper.moveTo(6, y(v)); paper.lineTo(width - 6, y(v)); paper.stroke();
      paper.font = "11px system-ui, sans-serif";
      paper.textAlign = "right";
      paper.fillText(`${word} ${show(v)}`, width - 8, y(v) + (down ? 10 : -9));
    };
    line(target, [], "whole net, scaled", target < expected);
    line(expected, [6, 4], "all masks", target >= expected);
    paper.setLineDash([]);
    paper.strokeStyle = page.ink.touch;
    paper.lineWidth = 2;
    paper.beginPath();
    means.forEach((v, n) => paper.lineTo(x(n), y(v)));
    paper.stroke();
    paper.fillStyle = page.ink.touch;
    paper.beginPath(); paper.arc(x(this.number), y(means[this.number]), 4, 0, 7); paper.fill();
  }

  torch() {
    const { state } = this.page, now = this.solve();
    if (!now.ok) return now.found.map(([, text]) => `# ${text}\n`).join("");
    const bend = state.activation === "relu" ? "torch.relu(h)" : "h", keep = `(1 - ${state.p})`;
    const factor = state.training ? (state.inverted && state.p < 1 ? ` * masks[n] / ${keep}` : " * masks[n]") : state.inverted ? "" : ` * ${keep}`;
    const tensor = (list) => `torch.tensor(${literal(list)}, dtype=torch.float64)`;
    return ["import torch", "", `x = ${tensor(state.x)}`, "layers = [", ...now.layers.map(({ w, b }) => `    (${tensor(w)}, ${tensor(b)}),`), "]",
      ...(state.training ? [`masks = ${tensor(this.masks())}  # torch.nn.Dropout(${state.p}) draws and scales them for you`] : []), "h = x", "for n, (w, b) in enumerate(layers):", "    h = w @ h + b",
      "    if n < 2:", `        h = ${bend}${factor}`, "print(h)", ""].join("\n");
  }
}

export default { render: ({ model, el: host }) => new DropoutLab(model).show(host) };
