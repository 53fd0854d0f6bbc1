// OptimizerPlane: paths of several optimizers over one surface, and the rates and betas with which one converges.
import { show } from "./core.js";
import { Page, el } from "./ui.js";
import { Grid, UNREAD } from "./grid.js";
import { METHODS, RATES, REACH, SURFACES, convergence, ending, height, placeOfRate, rateAt, walk } from "./optimizers.js";

const FINE = 161, COARSE = 40; // cells of the plane and of the map
const LINES = { descent: ["#1464b4", "#7cb8f5", []], momentum: ["#a8480b", "#ffb070", [7, 3]], average: ["#7a1fa2", "#dca0f5", [2, 3]],
  nesterov: ["#0b6e4f", "#5fe0c0", [10, 3, 2, 3]], adam: ["#a3123f", "#ff92ab", [4, 2]] };

class OptimizerPlane {
  constructor(model) {
    const page = (this.page = new Page(model, { title: "Optimizers on a plane", pythonName: "OptimizerPlane",
      draw: () => this.draw(), keys: { Home: () => this.goTo(0) } }));
    this.step = page.state.steps;
    this.plane = new Grid(page, "Plane", { biggest: 20, tall: 440, pin: (row, col) => this.put(row, col),
      move: (row, col, pressed, keyed) => (pressed || keyed) && this.put(row, col) });
    this.map = new Grid(page, "Map", { biggest: 20, tall: 440, move: (row, col, pressed, how) => (pressed || how) && this.tune(row, col, how === "key") });
    for (const grid of [this.plane, this.map]) grid.canvas.style.touchAction = "none"; // dragging, not scrolling
  }

  show(host) {
    const { page } = this, decimal = (label, step, get, put) => page.group(label, page.number(label, get, put, { step, class: "cx-wide" }));
    const start = (n) => (value) => page.set({ start: page.state.start.map((old, m) => (m === n ? value : old)) });
    this.notes = el("ul", { class: "cx-remarks" });
    this.formula = el("p", { class: "cx-formula" });
    this.legend = el("div", { class: "cx-bar" }, Object.entries(METHODS).map(([name, [label]]) => this.entry(name, label)));
    this.plane.below.append("Drag the start, or move it with the arrows.");
    this.map.below.append("Across: learning rate, 0.001 to 1.5 by even factors. Down: β, 0 to 0.99. Blue has come closer, orange and hatched has ended higher. Choose a place to use it.");
    this.scrub = page.scrubber("step by step", { count: () => page.state.steps + 1, at: () => Math.min(this.step, page.state.steps), go: (n) => this.goTo(n), words: () => `step ${this.step}`, pace: 60 });
    const bar = el("div", { class: "cx-bar" },
      page.choice("Surface", Object.entries(SURFACES).map(([key, [name]]) => [key, name]), () => page.state.surface, (surface) => page.set({ surface })),
      decimal("Learning rate", 0.01, () => page.state.rate, (rate) => page.set({ rate })), decimal("β", 0.05, () => page.state.beta, (beta) => page.set({ beta })),
      page.group("Steps", page.number("Steps", () => page.state.steps, (steps) => { this.step = steps; page.set({ steps }); }, { min: 1, max: 1000 })),
      decimal("Start x", 0.5, () => page.state.start[0], start(0)), decimal("Start y", 0.5, () => page.state.start[1], start(1)),
      page.choice("Map of", Object.entries(METHODS).map(([key, [name]]) => [key, name]), () => page.state.mapped, (mapped) => page.set({ mapped })),
      page.reset(() => { this.step = this.page.first.steps; }));
    return page.show(host, bar, this.legend, this.notes, el("div", { class: "cx-grids" }, this.plane.node, this.map.node), this.scrub, page.live,
      this.formula, page.code({ PyTorch: () => this.torch() }),
      page.help(["Arrows move the start on the plane, or the learning rate and β on the map.", "Space plays, [ and ] step, Home goes to the first step, Escape leaves the explorer."]));
  }

  entry(name, label) {
    const { page } = this, canvas = el("canvas", { role: "img", "aria-label": `line of ${label}` });
    page.fields.push(() => {
      const dense = window.devicePixelRatio || 1;
      Object.assign(canvas, { width: 34 * dense, height: 10 * dense });
      Object.assign(canvas.style, { width: "34px", height: "10px" });
      const paper = canvas.getContext("2d");
      paper.scale(dense, dense);
      this.pen(paper, name);
      paper.beginPath(); paper.moveTo(1, 5); paper.lineTo(33, 5); paper.stroke();
    });
    const turn = (on) => page.set({ methods: Object.keys(METHODS).filter((key) => (key === name ? on : page.state.methods.includes(key))) });
    return el("span", { class: "cx-row" }, page.tick(label, () => page.state.methods.includes(name), turn), canvas);
  }

  pen(paper, name) {
    paper.strokeStyle = paper.fillStyle = LINES[name][this.page.root.classList.contains("cx-dark") ? 1 : 0];
    paper.lineWidth = 2.2;
    paper.setLineDash(LINES[name][2]);
  }

  problems() {
    const { rate, beta, steps, start, methods } = this.page.state, found = [];
    if (!(Number.isInteger(steps) && steps >= 1 && steps <= 1000)) found.push(["error", "The steps are a whole number from 1 to 1000."]);
    if (!(beta >= 0 && beta < 1)) found.push(["error", "β is at least 0 and less than 1: from 1 on, the past would never be forgotten."]);
    if (!(rate > 0)) found.push(["error", "The learning rate is more than 0: else nothing moves, or it climbs."]);
    if (!(start.length === 2 && start.every((n) => Math.abs(n) <= REACH))) found.push(["error", `The start is (x, y), each from −${REACH} to ${REACH}.`]);
    if (!methods.length) found.push(["note", "No optimizer is ticked."]);
    return found;
  }

  solve() {
    const { page } = this, { state } = page;
    if (this.now?.version === page.version) return this.now;
    const found = this.problems(), ok = !found.some(([kind]) => kind === "error");
    this.now = { version: page.version, found, ok };
    if (!ok) return this.now;
    this.now.paths = Object.fromEntries(state.methods.map((name) => [name, walk(state.surface, name, state)]));
    const asked = JSON.stringify([state.surface, state.mapped, state.start, state.steps]);
    if (this.asked !== asked) {
      this.asked = asked;
      this.converged = convergence(state.surface, state.mapped, state.start, state.steps, COARSE);
      this.hatched = Uint8Array.from(this.converged, (left) => (left > 0 ? UNREAD : 0));
    }
    return this.now;
  }

  ground(surface) {
    this.grounds ??= {};
    return (this.grounds[surface] ??= Float64Array.from({ length: FINE * FINE }, (_, n) => {
      const y = REACH - (2 * REACH * Math.floor(n / FINE)) / (FINE - 1), x = (2 * REACH * (n % FINE)) / (FINE - 1) - REACH;
      return Math.floor(Math.log2(1 + 4 * height(surface, x, y)) * 1.6) / 24; // bands, as on a map
    }));
  }

  draw() {
    const now = this.solve(), { page } = this, { state } = page;
    this.notes.replaceChildren(...now.found.map(([kind, text]) => el("li", { class: `cx-${kind}` }, text)));
    for (const grid of [this.plane, this.map]) grid.node.hidden = !now.ok;
    this.scrub.hidden = !now.ok;
    if (!now.ok) return page.say("There is no path: the reason stands above.");
    this.step = Math.min(this.step, state.steps);
    const cellOf = ([x, y]) => [Math.round(((REACH - y) / (2 * REACH)) * (FINE - 1)), Math.round(((x + REACH) / (2 * REACH)) * (FINE - 1))];
    this.plane.draw({ rows: FINE, cols: FINE, bare: true, values: this.ground(state.surface), scale: 1, cursor: cellOf(state.start), leap: 2,
      title: SURFACES[state.surface][0].replace(/^./, (c) => c.toUpperCase()), over: (paper, edge, cell) => this.paths(paper, edge, cell * (FINE - 1)) });
    this.spot = [Math.round((state.beta / 0.99) * (COARSE - 1)), placeOfRate(state.rate, COARSE)].map((n) => Math.max(0, Math.min(COARSE - 1, n)));
    const title = `What ${METHODS[state.mapped][0]} reaches in ${state.steps} steps`;
    this.map.draw({ rows: COARSE, cols: COARSE, bare: true, values: this.converged, flags: this.hatched, scale: 6, start: this.spot, cursor: this.outside() ? null : this.spot,
      text: () => "", title, label: `${title}: learning rates across, β down` });
    this.tell(now);
  }

  paths(paper, edge, width) {
    const at = (value, sign) => edge + ((sign * value + REACH) / (2 * REACH)) * width;
    paper.save();
    paper.beginPath();
    paper.rect(edge, edge, width, width);
    paper.clip();
    for (const [name, path] of Object.entries(this.now.paths)) {
      this.pen(paper, name);
      paper.beginPath();
      for (let t = 0; t <= this.step && Number.isFinite(path[2 * t]); t++) paper.lineTo(at(path[2 * t], 1), at(path[2 * t + 1], -1));
      paper.stroke();
      const [x, y] = path.subarray(2 * this.step, 2 * this.step + 2);
      if (Number.isFinite(x)) { paper.beginPath(); paper.arc(at(x, 1), at(y, -1), 5, 0, 7); paper.fill(); }
    }
    paper.restore();
  }

  tell(now) {
    const { state } = this.page, t = this.step, parts = Object.entries(now.paths).map(([name, path]) => {
      const [x, y] = path.subarray(2 * t, 2 * t + 2), left = height(state.surface, x, y);
      return Number.isFinite(x) && left < 1e6 ? `${METHODS[name][0]} at (${thousandths(x)}, ${thousandths(y)}), ${show(left)} above the lowest` : `${METHODS[name][0]} has run away`;
    });
    this.page.say(`After ${t} step${t === 1 ? "" : "s"}: ${parts.join("; ") || "nothing moves"}. ${this.tellMap(state)}`);
    this.formula.textContent = state.methods.map((name) => `${METHODS[name][0]}: ${METHODS[name][1]}`).join("\n");
  }

  tellMap({ mapped, surface, start }) {
    const outside = this.outside(), [row, col] = this.spot, { rate, beta } = settingsAt(row, col);
    if (outside) return `This ${outside} lies outside the map.`;
    if (!height(surface, ...start)) return "The map tells nothing: the start is the lowest place.";
    return `On the map, ${METHODS[mapped][0]} with rate ${show(rate)} and β ${show(beta)} ${ending(this.converged[row * COARSE + col])}.`;
  }

  // What of the settings the map does not show.
  outside() {
    const { rate, beta } = this.page.state;
    return rate < RATES[0] || rate > RATES[1] ? "learning rate" : beta > 0.99 ? "β" : "";
  }

  goTo(n) {
    this.step = n;
    this.page.schedule();
  }

  put(row, col) {
    const round = (value) => Math.round(100 * value) / 100;
    this.page.set({ start: [round((2 * REACH * col) / (FINE - 1) - REACH), round(REACH - (2 * REACH * row) / (FINE - 1))] });
  }

  // An arrow changes what lies along it and leaves the other as it is, whatever it is.
  tune(row, col, keyed) {
    const { rate, beta } = settingsAt(row, col), [oldRow, oldCol] = this.spot;
    this.page.set({ ...(keyed && row === oldRow ? {} : { beta }), ...(keyed && col === oldCol ? {} : { rate }) });
  }

  torch() {
    const { surface, methods, rate, beta, steps, start } = this.page.state, noise = SURFACES[surface][4];
    const value = { ravine: "(x**2 + 25 * y**2) / 2", noisy: "(x**2 + 25 * y**2) / 2", bowl: "(x**2 + y**2) / 2", saddle: "(x**2 - y**2) / 2 + 0.05 * y**4" }[surface];
    const makers = { descent: `torch.optim.SGD([w], lr=${rate})`, momentum: `torch.optim.SGD([w], lr=${rate}, momentum=${beta})`,
      nesterov: beta ? `torch.optim.SGD([w], lr=${rate}, momentum=${beta}, nesterov=True)` : `torch.optim.SGD([w], lr=${rate})`, adam: `torch.optim.Adam([w], lr=${rate}, betas=(${Number.isInteger(beta) ? `${beta}.0` : beta}, 0.999))` };
    const lines = ["import torch", "", "", "def surface(w):", "    x, y = w", `    return ${value}`, "", "", "def walk(make):",
      `    w = torch.tensor([${start.map((n) => n.toString()).join(", ")}], dtype=torch.float64, requires_grad=True)`, "    optimizer = make(w)", `    for _ in range(${steps}):`,
      "        optimizer.zero_grad()", "        surface(w).backward()", ...(noise ? [`        w.grad += ${noise} * (2 * torch.rand(2) - 1)  # noise, not the same numbers as in the figure`] : []),
      "        optimizer.step()", "    return w.detach()", "", "", "ends = {}"];
    for (const name of methods) lines.push(name === "average" ? "# momentum, averaged, is momentum with a learning rate (1 - beta) times as large" : "",
      `ends["${name}"] = walk(lambda w: ${name === "average" ? `torch.optim.SGD([w], lr=${rate} * (1 - ${beta}), momentum=${beta})` : makers[name]})`);
    return [...lines.filter((line, n) => line || n < 22), "print(ends)", ""].join("\n");
  }
}

const settingsAt = (row, col) => ({ beta: Math.round((990 * row) / (COARSE - 1)) / 1000, rate: Number(rateAt(col, COARSE).toPrecision(3)) });
const thousandths = (value) => show(Math.round(1000 * value) / 1000 + 0);

export default { render: ({ model, el: host }) => new OptimizerPlane(model).show(host) };
