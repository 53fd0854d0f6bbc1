// ReceptiveField: what one output pixel sees of every level below it, at most and in effect.
import { show } from "./core.js";
import { Page, el, write } from "./ui.js";
import { Grid } from "./grid.js";
import { STACKS, fieldRemarks, levels, ranges, shares, widthOf } from "./fields.js";

const FIELDS = ["kernel", "stride", "padding", "dilation"];

class ReceptiveField {
  constructor(model) {
    this.at = null; // the output pixel; the middle one until another is chosen
    this.level = 0;
    const page = (this.page = new Page(model, { title: "What one output pixel sees", pythonName: "ReceptiveField",
      draw: () => this.draw(), keys: { Home: () => this.go(null) } }));
    this.map = new Grid(page, "Level", { biggest: 20, tall: 380, move: (row, col) => this.nearest(row, col) });
    this.output = new Grid(page, "Output", { biggest: 24, tall: 300, move: (row, col) => this.go([row, col]), pin: (row, col) => this.go([row, col]) });
    this.strips = [];
  }

  show(host) {
    const { page } = this;
    this.notes = el("ul", { class: "cx-remarks" });
    this.formula = el("p", { class: "cx-formula" });
    this.body = el("tbody");
    const names = ["layer", ...FIELDS, "size", "jump", "field", "its field, along the columns", ""];
    this.table = el("div", { class: "cx-scroll", tabindex: 0, role: "group", "aria-label": "Layers" },
      el("table", {}, el("thead", {}, el("tr", {}, names.map((name) => (name ? el("th", { scope: "col" }, name) : el("td"))))), this.body));
    const add = (kind, layer) => page.button(`+ ${kind}`, () => page.set({ layers: [...page.state.layers, layer] }), `add a ${kind} layer`);
    this.grids = el("div", { class: "cx-grids" }, this.map.node, this.output.node);
    this.scrub = page.scrubber("every output in turn", { count: () => this.last() ** 2, at: () => this.index(),
      go: (n) => this.go([Math.floor(n / this.last()), n % this.last()]), words: () => `row ${this.place()[0]}, column ${this.place()[1]}` });
    this.fixed = null;
    return page.show(host, this.controls(), this.notes, this.table,
      el("div", { class: "cx-row" }, add("conv", ["conv", 3, 1, 1, 1]), add("pool", ["pool", 2, 2, 0, 1])),
      this.grids, this.scrub, page.live, this.formula, page.code({ PyTorch: () => this.torch() }),
      page.help(["Arrows move in a grid; on a level they choose the output that looks there. Home takes the middle output.",
        "Space plays through the outputs, [ and ] step, Escape leaves the explorer."]));
  }

  controls() {
    const { page } = this, same = ([, size, layers]) => JSON.stringify([size, layers]) === JSON.stringify([page.state.size, page.state.layers]);
    this.levelOptions = el("select", { "aria-label": "Level shown", onchange: () => { this.level = Number(this.levelOptions.value); page.schedule(); } });
    return el("div", { class: "cx-bar" },
      page.choice("Preset", [["", "your own"], ...Object.entries(STACKS).map(([key, [name]]) => [key, name])],
        () => Object.keys(STACKS).find((key) => same(STACKS[key])) ?? "", (key) => key && this.choose(STACKS[key])),
      page.group("Input size", page.number("Input size", () => page.state.size, (size) => page.set({ size }), { min: 1 })),
      page.group("Level shown", this.levelOptions),
      page.tick("in effect (shares), not only at most", () => page.state.effective, (effective) => page.set({ effective })),
      page.reset(() => this.go(null)));
  }

  choose([, size, layers]) {
    this.level = 0;
    this.at = null;
    this.page.set({ size, layers: structuredClone(layers) });
  }

  solve() {
    const { page } = this, { layers, size } = page.state;
    if (this.now?.version === page.version) return this.now;
    const found = fieldRemarks(layers, size), ok = !found.length;
    return (this.now = { version: page.version, found, ok, levels: ok ? levels(layers, size) : [] });
  }

  last() {
    const { ok, levels: all } = this.solve();
    return ok ? all.at(-1).size : 0;
  }

  place() {
    const size = this.last(), middle = Math.floor((size - 1) / 2);
    return (this.at ?? [middle, middle]).map((n) => Math.max(0, Math.min(size - 1, n)));
  }

  index() {
    const [row, col] = this.place();
    return row * this.last() + col;
  }

  go(at) {
    this.at = at;
    this.page.schedule();
  }

  // The output whose field has its middle nearest to a place of the level shown.
  nearest(...place) {
    const { layers } = this.page.state, size = this.last(), jump = this.leap(), [low, high] = ranges(layers.slice(this.level), 0)[0];
    this.go(place.map((n) => Math.max(0, Math.min(size - 1, Math.round((n - (low + high) / 2) / jump)))));
  }

  // How many places of the level shown lie between neighbouring outputs: an arrow goes that far.
  leap() {
    return this.page.state.layers.slice(this.level).reduce((product, layer) => product * layer[2], 1);
  }

  // One row a layer, made anew only when their number changes.
  makeRows() {
    const { page } = this, { layers } = page.state;
    this.fixed ??= page.fields.length;
    page.fields.length = this.fixed;
    const change = (n, m) => (value) => page.set({ layers: page.state.layers.map((layer, k) => (k === n ? layer.map((old, i) => (i === m + 1 ? value : old)) : layer)) });
    this.cells = [];
    this.strips = [];
    const row = (n, name, fields, ...buttons) => {
      const cells = ["size", "jump", "field"].map(() => el("td")), strip = el("div", { class: "cx-strip", role: "img", "aria-label": `field at level ${n}` }, el("i"));
      this.cells.push(cells);
      this.strips.push(strip);
      return el("tr", {}, el("th", { scope: "row" }, name), fields, cells, el("td", {}, strip), el("td", {}, el("span", { class: "cx-row" }, buttons)));
    };
    const put = (list, n, button) => { // the focus goes along, also where rows are made anew
      page.set({ layers: list });
      page.settle();
      (this.body.rows[n + 1].querySelectorAll("button")[button] ?? this.table).focus();
    };
    const drop = (n) => { const left = page.state.layers.filter((_, k) => k !== n); put(left, Math.min(n, left.length - 1), 1); };
    const lift = (n) => { const all = [...page.state.layers]; all.splice(n - 1, 0, ...all.splice(n, 1)); put(all, n - 1, 0); };
    this.body.replaceChildren(row(0, "input", FIELDS.map(() => el("td"))),
      ...layers.map(([kind], n) => row(n + 1, kind, FIELDS.map((field, m) => el("td", {}, page.number(`layer ${n + 1} ${field}`, () => page.state.layers[n]?.[m + 1] ?? 0, change(n, m), { min: m === 2 ? 0 : 1 }))),
        page.button("↑", () => n && lift(n), `move layer ${n + 1} up`), page.button("×", () => drop(n), `remove layer ${n + 1}`))));
    this.levelOptions.replaceChildren(...["input", ...layers.map(([kind], n) => `${n + 1}: ${kind}`)].map((name, n) => el("option", { value: n }, name)));
  }

  draw() {
    const now = this.solve(), { page } = this, { layers } = page.state, kinds = layers.map(([kind]) => kind).join();
    if (this.kinds !== kinds) { this.makeRows(); this.kinds = kinds; }
    this.level = Math.min(this.level, layers.length);
    this.levelOptions.value = this.level;
    this.notes.replaceChildren(...now.found.map(([kind, text]) => el("li", { class: `cx-${kind}` }, text)));
    for (const part of [this.grids, this.scrub, this.formula]) part.hidden = !now.ok;
    this.cells.forEach((cells, n) => cells.forEach((cell, m) => write(cell, now.ok ? show(now.levels[n][["size", "jump", "field"][m]]) : "–")));
    if (!now.ok) return page.say("This stack gives no output: the reason stands above.");
    const [row, col] = this.place(), reach = [ranges(layers, row), ranges(layers, col)], sizes = now.levels.map(({ size }) => size);
    this.strips.forEach((strip, n) => this.drawStrip(strip, sizes[n], reach[1][n]));
    this.drawMap(sizes, reach, row, col);
    const size = sizes.at(-1), flat = `${size}`;
    if (this.flat?.length !== size * size) this.flat = new Float64Array(size * size);
    this.output.draw({ rows: size, cols: size, values: this.flat, scale: 1, text: () => "", cursor: [row, col], title: `Output ${flat} × ${flat}: choose a pixel` });
    this.tell(now, reach, sizes);
  }

  // A line for the whole level, a bar over what is seen of it; the bar may stick out into the padding.
  drawStrip(strip, size, [low, high]) {
    const place = (n) => Math.max(0, Math.min(100, 10 + (80 * n) / size)), said = `columns ${low} to ${high} of ${size}`;
    if (strip.said === said) return;
    strip.said = said;
    strip.setAttribute("aria-label", said);
    strip.firstChild.style.cssText = `left: ${place(low)}%; width: ${place(high + 1) - place(low)}%`;
  }

  drawMap(sizes, reach, row, col) {
    const { layers, effective } = this.page.state, size = sizes[this.level], [rows, cols] = reach.map((one) => one[this.level]);
    const key = [this.now.version, this.level, row, col].join();
    if (this.mapKey !== key) {
      this.mapKey = key;
      this.parts = [row, col].map((place) => shares(layers, sizes, place));
      const [down, across] = this.parts.map((one) => one[this.level]);
      const values = new Float64Array(size * size), from = Math.max(0, cols[0]), to = Math.min(size - 1, cols[1]);
      for (let r = Math.max(0, rows[0]); r <= Math.min(size - 1, rows[1]); r++)
        for (let c = from; c <= to; c++) values[r * size + c] = effective ? down[r] * across[c] : 0.3;
      this.field = { values, scale: effective ? Math.max(...down) * Math.max(...across) || 1 : 1 };
    }
    const name = this.level ? `Level ${this.level} (${layers[this.level - 1][0]})` : "Input";
    this.map.draw({ ...this.field, over: (paper, edge, cell) => this.frame(paper, edge, cell, size, rows, cols), rows: size, cols: size, text: () => "", leap: this.leap(), start: [rows, cols].map(([low, high]) => Math.floor((low + high) / 2)), title: `${name} ${size} × ${size}` });
  }

  // The field's edge, as far as it lies on the level.
  frame(paper, edge, cell, size, ...sides) {
    const [[top, bottom], [left, right]] = sides.map(([low, high]) => [Math.max(0, low), Math.min(size, high + 1)]);
    if (top >= bottom || left >= right) return; // it lies in the padding
    paper.strokeStyle = this.page.ink.mark;
    paper.lineWidth = 1.5;
    paper.strokeRect(edge + left * cell, edge + top * cell, (right - left) * cell - 1, (bottom - top) * cell - 1);
  }

  tell(now, reach, sizes) {
    const { layers, effective } = this.page.state, [row, col] = this.place(), [rows, cols] = reach.map((one) => one[0]), { field, jump } = now.levels.at(-1);
    const blind = this.parts.some(([part]) => part.every((share) => !share)), cut = rows[0] < 0 || cols[0] < 0 || Math.max(rows[1], cols[1]) >= sizes[0];
    const pads = blind ? ", but only padding is there to be read" : cut ? ", part of it padding" : "";
    const inner = effective && !blind ? ` In effect 95 % of its columns’ weight lies in ${widthOf(this.parts[1][0])} of them.` : "";
    this.page.say(`Output row ${row}, column ${col} sees rows ${show(rows[0])} to ${show(rows[1])} and columns ${show(cols[0])} to ${show(cols[1])} of the input: ${field} × ${field}${pads}.${inner}`);
    const steps = layers.map(([, kernel, , , dilation], n) => `(${kernel} − 1)·${dilation}·${now.levels[n].jump}`);
    const few = steps.length > 8 ? [...steps.slice(0, 7), "…"] : steps;
    this.formula.textContent = `field = 1 + Σ (kernel − 1)·dilation·jump = 1 + ${few.join(" + ") || "0"} = ${field}; neighbours lie ${jump} input pixel${jump > 1 ? "s" : ""} apart`;
  }

  torch() {
    const { layers, size } = this.page.state, [row, col] = this.place();
    if (!this.solve().ok) return this.now.found.map(([, text]) => `# ${text}\n`).join("");
    const line = ([kind, kernel, stride, padding, dilation]) => `    nn.Conv2d(1, 1, ${kernel}, ${stride}, ${padding}, ${dilation}, bias=False),${kind === "pool" ? "  # an average pool" : ""}`;
    return ["import torch", "from torch import nn", "", "net = nn.Sequential(", ...layers.map(line), ").double()", "for layer in net:",
      "    nn.init.constant_(layer.weight, 1 / layer.weight.numel())  # every layer averages", `x = torch.zeros(1, 1, ${size}, ${size}, dtype=torch.float64, requires_grad=True)`,
      `net(x)[0, 0, ${row}, ${col}].backward()`, "shares = x.grad[0, 0]  # the effective field; where it is not zero, the theoretical one", "print((shares != 0).any(0).sum())", ""].join("\n");
  }
}

export default { render: ({ model, el: host }) => new ReceptiveField(model).show(host) };
