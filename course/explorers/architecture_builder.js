// ArchitectureBuilder: a net as rows that are edited, moved and taken out, with what each costs, holds and sees.
import { Page, el, write } from "./ui.js";
import { Boxes } from "./boxes.js";
import { dragRow } from "./drag.js";
import { KINDS, fresh, full, shapeText, short, solveNet } from "./layers.js";
import { COST, NETS, exact, kindNames, seen, sums, torchNet, words } from "./nets.js";

const COLUMNS = ["", "layer", "output", "parameters", "multiply-adds", "memory", "sees"], COSTS = ["parameters", "multiplyAdds", "memory"];
const COMMON = ["conv", "maxpool", "avgpool", "adaptivepool", "batchnorm", "relu", "dropout", "flatten", "linear", "residual"];

class ArchitectureBuilder {
  constructor(model) {
    this.chosen = []; // the path of the row chosen; [] is the input
    this.open = new Set(); // paths of residual blocks shown with what is inside
    this.rows = [];
    const page = (this.page = new Page(model, { title: "A net, layer by layer", pythonName: "ArchitectureBuilder",
      draw: () => this.draw(), keys: { Home: () => this.choose([]) } }));
    this.boxes = new Boxes(page, (path) => this.choose(path));
  }

  show(host) {
    const { page } = this;
    this.notes = el("ul", { class: "cx-remarks" });
    this.formula = el("p", { class: "cx-formula" });
    this.body = el("tbody", { onkeydown: (event) => this.key(event) });
    this.totals = COSTS.map(() => el("td"));
    this.edit = el("div", { class: "cx-edit" });
    this.why = el("div", { class: "cx-why" });
    [this.editor, this.broken] = [this.edit, this.why].map((inside) => el("tr", {}, el("td", { colspan: COLUMNS.length }, inside)));
    const head = el("tr", {}, COLUMNS.map((name) => (name ? el("th", { scope: "col" }, name) : el("td"))));
    const table = el("div", { class: "cx-scroll cx-net", tabindex: 0, role: "group", "aria-label": "Layers" },
      el("table", {}, el("thead", {}, head), this.body, el("tfoot", {}, el("tr", {}, el("td"), el("th", { scope: "row" }, "in all"), el("td"), this.totals, el("td")))));
    const scrub = page.scrubber("row by row", { count: () => this.lines().length, at: () => this.index(), go: (n) => this.choose(this.lines()[n].path),
      words: () => this.lines()[this.index()].row?.name ?? "input", pace: 400 });
    this.adders = el("div", { class: "cx-row" }, el("span", { class: "cx-label" }, "Add after the row chosen:"),
      COMMON.map((kind) => page.button(`+ ${kind}`, () => this.add(kind))));
    return page.show(host, this.controls(), this.notes, this.boxes.node, scrub, table, this.adders, page.live, this.formula, page.code({ PyTorch: () => this.torch() }),
      page.help(["On a row: ↑ and ↓ choose another, Shift with them moves the layer, → and ← open and close a block, Delete takes it out. Drag a row by its grip, or use the buttons beneath it.",
        "Space plays through the rows, [ and ] step, Home goes to the input, Escape leaves the explorer."]));
  }

  controls() {
    const { page } = this, size = (n, name) => page.number(`input ${name}`, () => this.solve().input[n],
      (value) => page.set({ input_size: this.solve().input.map((old, m) => (m === n ? value : old)) }), { min: 1, class: "cx-wide" });
    const preset = () => { const { net, input } = this.solve(), now = JSON.stringify([input, net.map(short)]); return Object.keys(NETS).find((name) => now === JSON.stringify(NETS[name].slice(1))) ?? ""; };
    return el("div", { class: "cx-bar" },
      page.choice("Preset", [["", "your own"], ...Object.entries(NETS).map(([key, [name]]) => [key, name])], preset, (name) => name && this.start(name)),
      page.group("Input: channels, rows, columns", size(0, "channels"), size(1, "rows"), size(2, "columns")), page.reset(() => { this.chosen = []; this.open.clear(); }));
  }

  start(preset) {
    Object.assign(this, { chosen: [], open: new Set() });
    this.page.set({ preset, layers: null, input_size: null });
  }

  solve() {
    const { page } = this, { preset, layers, input_size } = page.state;
    if (this.now?.version === page.version) return this.now;
    const net = (layers ?? NETS[preset][2]).map(full), input = input_size ?? NETS[preset][1];
    return (this.now = { version: page.version, net, input, ...solveNet(net, input) });
  }

  // The rows shown, the input first: { path, depth, row }.
  lines() {
    const found = [{ path: [], depth: 0 }];
    const visit = (rows, depth) => rows.forEach((row) => {
      found.push({ path: row.path, depth, row });
      if (row.inner && this.open.has(String(row.path))) visit(row.inner, depth + 1);
    });
    visit(this.solve().rows, 0);
    return found;
  }

  index() {
    return Math.max(0, this.lines().findIndex(({ path }) => String(path) === String(this.chosen)));
  }

  layer() {
    return this.chosen.reduce((inside, step) => inside?.[step], this.solve().net);
  }

  choose(path) {
    this.chosen = path;
    this.page.schedule();
  }

  // Change the list that holds the layer at a path: act(list, place in it).
  change(path, act) {
    const { input, net } = this.solve(), all = structuredClone(net);
    act(path.slice(0, -1).reduce((inside, step) => inside[step], all), path.at(-1));
    this.page.set({ preset: this.page.defaults.preset, layers: all.map(short), input_size: [...input] });
  }

  add(kind) {
    const path = this.chosen.length ? this.chosen.with(-1, this.chosen.at(-1) + 1) : [0];
    this.change(path, (list, n) => list.splice(n, 0, fresh(kind)));
    this.open.clear();
    this.openTo(path);
    this.chosen = path;
  }

  addInside(part) {
    const path = [...this.chosen, part, this.layer()[part].length];
    this.change(path, (list) => list.push(fresh(part === 1 ? "relu" : "conv")));
    this.openTo(path);
    this.chosen = path;
  }

  openTo(path) {
    for (let n = 1; n < path.length; n += 2) this.open.add(String(path.slice(0, n)));
  }

  drop() {
    if (!this.chosen.length) return;
    let left = 0;
    this.change(this.chosen, (list, n) => { list.splice(n, 1); left = list.length; });
    const place = Math.min(this.chosen.at(-1), left - 1);
    this.chosen = left ? this.chosen.with(-1, place) : this.chosen.slice(0, -2);
    this.open.clear();
    this.openTo(this.chosen);
  }

  move(path, to) {
    const from = path.at(-1);
    if (!path.length || to === from || to < 0) return;
    this.change(path, (list) => { to = Math.min(to, list.length - 1); list.splice(to, 0, ...list.splice(from, 1)); });
    this.open.clear();
    this.chosen = path.with(-1, to);
    this.openTo(this.chosen);
  }

  toggle() {
    if (this.layer()?.[0] === "residual" && !this.open.delete(String(this.chosen))) this.open.add(String(this.chosen));
    this.page.schedule();
  }

  // Keys act on the row that has the focus, and take it along at once: the next key may come before the next frame.
  key(event) {
    const n = this.rows.findIndex(({ button }) => button === event.target), step = { ArrowUp: -1, ArrowDown: 1 }[event.key], lines = this.lines();
    if (n < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const { chosen, open } = Object.assign(this, { chosen: lines[n].path }), opened = open.has(String(chosen));
    if (step && event.shiftKey) this.move(chosen, chosen.at(-1) + step);
    else if (step) this.choose(lines[Math.max(0, Math.min(lines.length - 1, n + step))].path);
    else if (event.key === "Home" || event.key === "End") this.choose(event.key === "Home" ? [] : lines.at(-1).path);
    else if (event.key === "Delete" || event.key === "Backspace") this.drop();
    else if ((event.key === "ArrowRight" && !opened) || (event.key === "ArrowLeft" && opened)) this.toggle();
    else return;
    this.rows[this.index()]?.button.focus();
    event.preventDefault();
  }

  // Fields and buttons for the row chosen, made anew only for another kind.
  makeEditor(kind) {
    const { page, edit } = this;
    this.fixed ??= page.fields.length;
    page.fields.length = this.fixed;
    if (!(this.editing = kind)) return;
    const follows = (layer, m) => m === 1 && layer[0].endsWith("pool") && layer[2] === layer[1]; // a pool's stride its kernel
    const put = (m) => (value) => this.change(this.chosen, (list, n) => { if (follows(list[n], m)) list[n][2] = value; list[n][m] = value; });
    const fields = KINDS[kind].values.map(([name, start], n) => {
      if (Array.isArray(start)) return null;
      const label = `${name} of the layer chosen`, get = () => this.layer()?.[n + 1] ?? 0;
      if (start === true) return page.tick(name, get, put(n + 1));
      return page.group(name, page.number(label, get, put(n + 1), { step: Number.isInteger(start) ? 1 : 0.05, class: "cx-wide" }));
    });
    const by = (step) => () => this.move(this.chosen, this.chosen.at(-1) + step);
    const inside = kind === "residual" ? [page.button("open or close", () => this.toggle(), "open or close the block"), page.button("+ into body", () => this.addInside(1)), page.button("+ into shortcut", () => this.addInside(2))] : [];
    edit.replaceChildren(page.choice("Kind", kindNames(), () => this.layer()?.[0] ?? "", (next) => this.change(this.chosen, (list, n) => { list[n] = fresh(next); })),
      ...fields.filter(Boolean), ...inside, page.button("↑", by(-1), "move the layer chosen up"), page.button("↓", by(1), "move the layer chosen down"), page.button("×", () => this.drop(), "remove the layer chosen"));
  }

  makeRow() {
    const n = this.rows.length, pick = () => { const { path } = this.lines()[n]; if (String(path) === String(this.chosen)) this.toggle(); else this.choose(path); };
    const grip = el("span", { class: "cx-grip", title: "drag to move", onpointerdown: (event) => this.grab(event, n) }, "⠿");
    const button = el("button", { type: "button", class: "cx-name", onclick: pick }), cells = COLUMNS.slice(2).map((_, m) => el("td", m && m < 4 ? { class: "cx-part" } : {}));
    const tr = el("tr", {}, el("td", {}, grip), el("th", { scope: "row" }, button), cells);
    this.body.append(tr);
    this.rows.push({ tr, grip, button, cells });
  }

  grab(event, n) {
    const all = this.lines(), { path } = all[n], list = String(path.slice(0, -1));
    if (!path.length) return;
    this.choose(path);
    const mates = this.rows.filter((_, k) => all[k].path.length === path.length && String(all[k].path.slice(0, -1)) === list);
    dragRow(event, mates.map(({ tr }) => tr), path.at(-1), (to) => this.move(path, to));
  }

  draw() {
    const now = this.solve(), lines = this.lines(), at = this.index(), held = document.activeElement;
    this.chosen = lines[at].path;
    while (this.rows.length < lines.length) this.makeRow();
    while (this.rows.length > lines.length) this.rows.pop().tr.remove();
    const most = Object.fromEntries(COSTS.map((key) => [key, Math.max(1, ...now.rows.map((row) => row[key] ?? 0))]));
    lines.forEach((line, n) => this.drawRow(this.rows[n], line, n === at, now, most));
    const kind = lines[at].row?.layer[0];
    if (kind !== this.editing) this.makeEditor(kind);
    this.editor.hidden = !kind;
    if (this.rows[at].tr.nextSibling !== this.editor) this.rows[at].tr.after(this.editor);
    if (held !== document.activeElement && this.edit.contains(held)) held.focus({ preventScroll: true }); // moved with the row
    this.drawReason(lines.findIndex(({ row }) => row?.reason), lines);
    this.totals.forEach((cell, n) => write(cell, now.totals ? COST[COSTS[n]](now.totals[COSTS[n]]) : "–"));
    this.notes.replaceChildren(...(now.totals ? [] : [el("li", { class: "cx-error" }, now.reason)]));
    this.boxes.draw(now.rows, now.input, this.chosen, Boolean(now.reason));
    this.tell(now, lines[at].row);
  }

  // Beneath the first row that breaks (and its editor).
  drawReason(n, lines) {
    this.broken.hidden = n < 0;
    if (n < 0) return;
    write(this.why, `✗ ${lines[n].row.reason}`);
    const above = this.rows[n].tr.nextSibling === this.editor ? this.editor : this.rows[n].tr;
    if (above.nextSibling !== this.broken) above.after(this.broken);
  }

  drawRow({ tr, grip, button, cells }, { path, depth, row }, chosen, now, most) {
    const part = path.at(-2) === 2 ? "shortcut: " : "", fold = row?.inner ? (this.open.has(String(path)) ? "▾ " : "▸ ") : "";
    write(button, row ? `${path.at(-1) + 1}  ${fold}${part}${words(row.layer)}` : "input");
    const look = [chosen, depth, row?.after ? "cx-after" : ""];
    if (String(look) !== tr.look) {
      Object.assign(tr, { look: String(look), className: look[2] });
      button.setAttribute("aria-pressed", chosen);
      button.style.marginLeft = `${18 * depth}px`;
      grip.hidden = !row;
    }
    const good = row?.axes, texts = row ? [good ? shapeText(row.shape) : row.reason ? "✗" : "–", ...COSTS.map((key) => (good ? COST[key](row[key]) : "–")), good ? seen(row) : "–"] : [shapeText(now.input), "", "", "", ""];
    texts.forEach((text, n) => write(cells[n], text));
    COSTS.forEach((key, n) => {
      const share = `${good ? Math.round((100 * row[key]) / most[key]) : 0}%`, cell = cells[n + 1];
      if (cell.share !== share) cell.style.setProperty("--part", (cell.share = share));
    });
  }

  tell({ totals, reason, rows, input }, row) {
    const cost = (one) => `${exact(one.parameters)} parameters, ${exact(one.multiplyAdds)} multiply-adds, ${COST.memory(one.memory)}`, broken = rows.find((one) => one.reason);
    const padded = row?.axes?.some(({ field }, n) => field > input[n + 1]) ? ", padding included" : "";
    const own = row?.axes ? `${row.name.replace(/^l/, "L")} makes ${shapeText(row.shape)} of ${shapeText(row.before)}: ${cost(row)}; an output sees ${seen(row)} of the input${padded}.` : "";
    this.formula.textContent = row?.axes ? sums(row).join("\n") : "";
    this.page.say(!totals ? reason : `${own} ${broken ? `It breaks at ${broken.name}. ${broken.reason}` : `In all ${cost(totals)} for one image.`}`.trim());
  }

  torch() {
    const { rows, reason, input } = this.solve(), broken = rows.find((row) => row.reason);
    return reason ? `# ${broken ? `It breaks at ${broken.name}. ` : ""}${reason}\n` : torchNet(rows, input);
  }
}

export default { render: ({ model, el: host }) => new ArchitectureBuilder(model).show(host) };
