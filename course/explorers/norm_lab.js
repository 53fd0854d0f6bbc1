// NormLab: which numbers share a mean, and what normalising them does, in training and in evaluation.
import { bracketed, literal, nested, show } from "./core.js";
import { Page, el } from "./ui.js";
import { Grid, WINDOW } from "./grid.js";
import { batchOf, normRemarks, normalized, running, setOf } from "./norms.js";

const KINDS = { batch: "batch: one channel of all samples", layer: "layer: one sample, all channels", instance: "instance: one channel of one sample", group: "group: some channels of one sample" };

class NormLab {
  constructor(model) {
    const page = (this.page = new Page(model, { title: "Normalising, and what is averaged", pythonName: "NormLab",
      draw: () => this.draw(), keys: { Home: () => { this.at = [0, 0]; this.goTo(0); } } }));
    this.at = [0, 0]; // sample, and channel and place as one column
    this.seen = 0; // training batches before the one shown
    const options = { biggest: 30, tall: 320, move: (row, col) => { this.at = [row, col]; page.schedule(); } };
    this.input = new Grid(page, "Before", options);
    this.output = new Grid(page, "After", options);
    this.chart = el("canvas", { role: "img", "aria-label": "histograms" });
    for (const grid of [this.input, this.output]) grid.node.style.flexBasis = "320px";
  }

  show(host) {
    const { page } = this, number = (label, key, props = { step: "any", class: "cx-wide" }) => page.group(label, page.number(label, () => page.state[key], (n) => page.set({ [key]: n }), props));
    const whole = { min: 1 };
    this.groups = number("Groups", "groups", whole);
    this.notes = el("ul", { class: "cx-remarks" });
    this.formula = el("p", { class: "cx-formula" });
    this.body = el("tbody");
    const names = ["channel", "mean before", "variance before", "mean after", "variance after", "running mean", "running variance"];
    this.table = el("div", { class: "cx-scroll", tabindex: 0, role: "group", "aria-label": "Statistics" },
      el("table", {}, el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col" }, name)))), this.body));
    const far = el("input", { type: "range", min: -40, max: 40, step: 1, "aria-label": "outlier by slider", oninput: () => page.set({ outlier: far.valueAsNumber }) });
    page.fields.push(() => { far.value = page.state.outlier; });
    const bar = el("div", { class: "cx-bar" },
      page.choice("Averaged together", Object.entries(KINDS), () => page.state.kind, (kind) => page.set({ kind })), this.groups,
      number("Batch size", "batch", whole), number("Channels", "channels", whole), number("Places", "places", whole),
      number("γ", "gamma"), number("β", "beta"), number("Momentum", "momentum"), number("ε", "eps"),
      page.group("Outlier added to the first number", page.number("outlier", () => page.state.outlier, (outlier) => page.set({ outlier }), { step: "any", class: "cx-wide" }), far),
      page.choice("The net is", [["training", "in training"], ["evaluation", "in evaluation"]], () => (page.state.training ? "training" : "evaluation"), (way) => page.set({ training: way === "training" })),
      page.reset(() => this.goTo(0)));
    this.histogram = el("figure", { class: "cx-grid" }, el("figcaption", {}, "Histograms of the numbers that are averaged together"), this.chart);
    this.grids = el("div", { class: "cx-grids" }, this.input.node, this.output.node, this.histogram);
    this.scrub = page.scrubber("batch by batch", { count: () => 51, at: () => this.seen, go: (n) => this.goTo(n), words: () => `${this.seen} batches seen`, pace: 120 });
    return page.show(host, bar, this.notes, this.grids, this.scrub, page.live, this.formula, this.table, page.code({ PyTorch: () => this.torch() }),
      page.help(["Arrows move over the numbers: those averaged together with the chosen one are outlined.", "Space plays through training batches, [ and ] step, Home goes to the first, Escape leaves the explorer."]));
  }

  goTo(n) {
    this.seen = n;
    this.page.schedule();
  }

  // The batch shown, and the running statistics of those before it.
  solve() {
    const { page } = this, g = page.state;
    if (this.now?.version === page.version && this.now.seen === this.seen) return this.now;
    const found = normRemarks(g), ok = !found.some(([kind]) => kind === "error"), now = (this.now = { version: page.version, seen: this.seen, found, ok });
    if (!ok) return now;
    now.x = batchOf(this.seen, g);
    now.trained = g.batch * g.places > 1 ? this.seen : 0; // a batch of one number a channel cannot be trained on
    now.kept = running(g, now.trained);
    Object.assign(now, normalized(now.x, g, now.kept));
    return now;
  }

  draw() {
    const now = this.solve(), { page } = this, g = page.state;
    this.groups.hidden = g.kind !== "group";
    this.notes.replaceChildren(...now.found.map(([kind, text]) => el("li", { class: `cx-${kind}` }, text)));
    for (const part of [this.grids, this.scrub, this.formula, this.table]) part.hidden = !now.ok;
    if (!now.ok) return page.say("There is nothing to normalise: the reason stands above.");
    const rows = g.batch, cols = g.channels * g.places, [row, col] = (this.at = [Math.min(this.at[0], rows - 1), Math.min(this.at[1], cols - 1)]);
    const channelOf = (c) => Math.floor(c / g.places), set = setOf(g, row, channelOf(col)), flags = new Uint8Array(rows * cols);
    for (let k = 0; k < flags.length; k++) if (setOf(g, Math.floor(k / cols), channelOf(k % cols)) === set) flags[k] = WINDOW;
    const spec = { rows, cols, flags, outline: true, cursor: this.at, bare: true, text: (k) => show(Math.round(10 * spec.values[k]) / 10),
      over: (paper, edge, cell) => { // a line between channels
        paper.fillStyle = page.ink.text;
        for (let c = 1; c < g.channels; c++) paper.fillRect(edge + c * g.places * cell - 1.5, edge, 2, rows * cell);
      } };
    const most = Math.max(...now.x.map(Math.abs), 1), name = `${rows} samples (rows), ${g.channels} channels of ${g.places} places (columns)`;
    this.input.draw({ ...spec, values: now.x, scale: most, text: (k) => show(Math.round(10 * now.x[k]) / 10), title: "Before", label: `Before: ${name}` });
    this.output.draw({ ...spec, values: now.out, scale: Math.max(...now.out.map(Math.abs), 1), text: (k) => show(Math.round(10 * now.out[k]) / 10), title: "After", label: `After: ${name}` });
    const members = [...flags.keys()].filter((k) => flags[k]);
    this.drawHistograms(members.map((k) => now.x[k]), members.map((k) => now.out[k]));
    this.fillTable(now);
    this.tell(now, set, members.length);
  }

  drawHistograms(before, after) {
    const { page } = this, dense = window.devicePixelRatio || 1, width = Math.min(420, this.histogram.clientWidth - 2), height = 210, { chart } = this;
    Object.assign(chart, { width: width * dense, height: height * dense });
    Object.assign(chart.style, { width: `${width}px`, height: `${height}px` });
    const paper = chart.getContext("2d"), all = [...before, ...after], low = Math.min(...all, -3), span = Math.max(...all, 3) - low || 1, bins = 30;
    paper.scale(dense, dense);
    paper.font = "11px system-ui, sans-serif";
    [["before", before, page.shade(0.9)], ["after", after, page.shade(-0.9)]].forEach(([name, list, colour], half) => {
      const counts = new Uint16Array(bins), base = 95 + half * 95;
      for (const v of list) counts[Math.min(bins - 1, Math.floor(((v - low) / span) * bins))]++;
      const most = Math.max(...counts);
      counts.forEach((count, n) => {
        paper.fillStyle = colour;
        paper.fillRect(6 + (n * (width - 12)) / bins, base - (70 * count) / most, (width - 12) / bins - 1, (70 * count) / most);
      });
      paper.fillStyle = page.ink.line;
      paper.fillRect(6, base, width - 12, 1);
      paper.fillStyle = page.ink.text;
      paper.fillRect(6 + ((0 - low) / span) * (width - 12), base, 1, 5);
      paper.fillText(name, 8, base - 76);
    });
    paper.fillText(`${show(Math.round(10 * low) / 10)} to ${show(Math.round(10 * (low + span)) / 10)}; the stroke is 0`, 8, height - 4);
    chart.setAttribute("aria-label", `Histograms of ${before.length} numbers before and after`);
  }

  fillTable({ x, out, kept }) {
    const g = this.page.state, of = (list, c) => {
      const values = [...list].filter((_, k) => Math.floor(k / g.places) % g.channels === c), mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      return [mean, values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length];
    };
    const cell = (v) => el("td", {}, v === undefined ? "–" : show(Math.round(1000 * v) / 1000 + 0));
    this.body.replaceChildren(...Array.from({ length: g.channels }, (_, c) => el("tr", {}, el("th", { scope: "row" }, String(c)),
      [...of(x, c), ...of(out, c), ...(g.kind === "batch" ? [kept.mean[c], kept.variance[c]] : [undefined, undefined])].map(cell))));
  }

  tell({ x, out, sets, trained }, set, count) {
    const g = this.page.state, [row, col] = this.at, k = row * g.channels * g.places + col, { mean, variance } = sets[set];
    const source = g.kind === "batch" && !g.training ? `the running statistics of ${trained} batches` : `${count} numbers`;
    this.page.say(`Sample ${row}, channel ${Math.floor(col / g.places)}, place ${col % g.places}: ${show(x[k])} becomes ${show(out[k])}, by the mean ${show(mean)} and variance ${show(variance)} of ${source}.`);
    this.formula.textContent = `γ·(x − mean) / √(variance + ε) + β = ${show(g.gamma)}·(${show(x[k])} − ${bracketed(mean)}) / √(${show(variance)} + ${show(g.eps)}) + ${bracketed(g.beta)} = ${show(out[k])}`;
  }

  torch() {
    const now = this.solve(), g = this.page.state, shape = [g.batch, g.channels, g.places], tensor = (list) => `torch.tensor(${literal(list)}, dtype=torch.float64)`;
    if (!now.ok) return now.found.map(([, text]) => `# ${text}\n`).join("");
    const same = (v) => `torch.full((${g.channels},), ${v}, dtype=torch.float64)`, scale = `weight=${same(g.gamma)}, bias=${same(g.beta)}, eps=${g.eps}`;
    const per = `torch.full((${g.channels}, ${g.places}), `;
    const call = { batch: `F.batch_norm(x, mean, variance, ${scale}, training=${g.training ? "True" : "False"}, momentum=${g.momentum})`,
      layer: `F.layer_norm(x, x.shape[1:], ${per}${g.gamma}, dtype=torch.float64), ${per}${g.beta}, dtype=torch.float64), ${g.eps})`,
      instance: `F.instance_norm(x, ${scale})`, group: `F.group_norm(x, ${g.groups}, ${same(g.gamma)}, ${same(g.beta)}, ${g.eps})` }[g.kind];
    const kept = g.kind === "batch" ? [`mean = ${tensor(now.kept.mean)}  # running, before this batch`, `variance = ${tensor(now.kept.variance)}`] : [];
    return ["import torch", "import torch.nn.functional as F", "", `x = ${tensor(nested(now.x, shape))}`, ...kept, `out = ${call}`, "print(out)", ""].join("\n");
  }
}

export default { render: ({ model, el: host }) => new NormLab(model).show(host) };
