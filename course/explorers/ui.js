// What every explorer's page is made of: the root that keeps keys to itself, fields, the scrubber, the code box.
import { constructorCall } from "./core.js";

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

// Text that is put in only where it changes, so that the rest of the page need not be laid out anew.
export function write(node, text) {
  if (node.said !== text) node.textContent = node.said = text;
}

// One explorer on the page: its state (mirrored from the model), its root and a redraw once a frame.
export class Page {
  constructor(model, { title, keys, draw, pythonName }) {
    this.model = model;
    this.draw = draw;
    this.pythonName = pythonName;
    this.defaults = model.get("_defaults");
    this.state = Object.fromEntries(Object.keys(this.defaults).map((k) => [k, model.get(k)]));
    this.first = structuredClone(this.state);
    this.version = 0; // counts changes of the state, so that what is worked out from it can be kept
    this.fields = [];
    this.live = el("p", { class: "cx-live", role: "status", "aria-live": "polite" });
    this.root = el("section", { class: "cx", "aria-label": title, "data-lm-suppress-shortcuts": "true", onkeydown: (e) => this.key(e) });
    this.root.append(el("h3", {}, title));
    for (const event of ["pointermove", "pointerdown"]) this.root.addEventListener(event, (e) => { this.pointer = `${e.screenX},${e.screenY}`; });
    this.keys = keys;
    this.stops = [];
    this.listen();
  }

  listen() {
    const follow = (k) => () => { this.state[k] = this.model.get(k); this.version++; this.schedule(); };
    for (const k of Object.keys(this.defaults)) {
      const handler = follow(k);
      this.model.on(`change:${k}`, handler);
      this.stops.push(() => this.model.off(`change:${k}`, handler));
    }
    const theme = () => { this.readTheme(); this.schedule(); };
    const sizes = new ResizeObserver(() => this.schedule()), themes = new MutationObserver(theme);
    const night = matchMedia("(prefers-color-scheme: dark)");
    themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
    sizes.observe(this.root);
    night.addEventListener("change", theme);
    this.stops.push(() => { themes.disconnect(); sizes.disconnect(); night.removeEventListener("change", theme); this.playing = null; });
    this.readTheme();
  }

  readTheme() {
    const told = document.body.dataset.jpThemeLight;
    const vs = document.body.classList.contains("vscode-dark");
    const dark = told ? told === "false" : vs || matchMedia("(prefers-color-scheme: dark)").matches;
    this.root.classList.toggle("cx-dark", dark);
    this.ink = dark
      ? { text: "#f2f2f2", faint: "#a9b0b8", line: "#4a5058", zero: [34, 38, 43], more: [150, 78, 14], less: [28, 88, 158], mark: "#ffd23f", touch: "#5fe0c0", bad: "#ff8080" }
      : { text: "#14181d", faint: "#59626c", line: "#c3c9d0", zero: [255, 255, 255], more: [246, 165, 92], less: [120, 180, 236], mark: "#111111", touch: "#0b7a5e", bad: "#b00020" };
    this.tones = Array.from({ length: 129 }, (_, n) => {
      const part = Math.abs(n - 64) / 64, end = n < 64 ? this.ink.less : this.ink.more;
      return this.ink.zero.map((z, k) => Math.round(z + (end[k] - z) * part));
    });
    const words = (tones) => Uint32Array.from(tones, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r); // as ImageData has them
    this.words = words(this.tones);
    this.greys = words(Array.from({ length: 129 }, (_, n) => Array(3).fill(Math.round((255 * n) / 128))));
    this.shades = this.tones.map((tone) => `rgb(${tone.join(",")})`);
  }

  step(t) {
    return Math.round(64 + 64 * Math.max(-1, Math.min(1, t || 0)));
  }

  // The colour of t in [-1, 1]: less, zero, more.
  shade(t) {
    return this.shades[this.step(t)];
  }

  set(changes) {
    Object.assign(this.state, changes);
    this.version++;
    for (const [k, v] of Object.entries(changes)) this.model.set(k, v);
    this.model.save_changes();
    this.schedule();
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => this.settle());
  }

  // Draw now what waits for the next frame, if anything does: a key goes on from what the one before it has done.
  settle() {
    if (!this.frame) return;
    cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.root.isConnected) return;
    this.draw(); // first: fields show what it works out, and a field that is a draw behind overwrites what is typed
    this.fields.forEach((refresh) => refresh());
  }

  say(text) {
    write(this.live, text);
  }

  key(event) {
    event.stopPropagation(); // else JupyterLab takes `d d` for "delete the cell"
    const bracket = ["[", "]"].includes(event.key);
    if ((event.ctrlKey || event.metaKey || event.altKey) && !(bracket && event.altKey)) return; // many keyboards need Alt for brackets
    if (event.key === "Escape") return this.leave(event);
    const own = event.target.closest("input, select, textarea, button, summary");
    if (own && !bracket) return;
    if (own?.matches("textarea")) return;
    const act = this.keys[event.key === " " ? "Space" : event.key];
    if (act && act(event) !== false) event.preventDefault();
  }

  leave(event) {
    event.preventDefault();
    const outside = this.root.parentElement.closest("[tabindex]");
    document.activeElement.blur();
    outside?.focus({ preventScroll: true });
  }

  // A whole number (or any, with another step or "any") of the state: get() reads it, put(n) stores it.
  number(label, get, put, props = {}) {
    const input = el("input", {
      type: "number", "aria-label": label, title: label, step: 1, ...props,
      oninput: () => input.value.trim() !== "" && Number.isFinite(input.valueAsNumber) && put(input.valueAsNumber),
    });
    const typing = () => document.activeElement === input && (Number.isNaN(input.valueAsNumber) || input.valueAsNumber === get()); // "-" or ""
    this.fields.push(() => { const text = String(get()); if (input.value !== text && !typing()) input.value = text; });
    input.addEventListener("blur", () => { input.value = get(); });
    return input;
  }

  // A list of the state, one field each, with - and + that step them all.
  numbers(label, key, names, props = {}) {
    const put = (n) => (value) => this.set({ [key]: this.state[key].map((old, m) => (m === n ? value : old)) });
    const all = (by) => this.set({ [key]: this.state[key].map((n) => Math.max(props.min ?? 0, n + by)) });
    const inputs = names.map((name, n) => this.number(`${label}: ${name}`, () => this.state[key][n], put(n), props));
    return this.group(label, this.button("−", () => all(-1), `less ${label}`), ...inputs, this.button("+", () => all(1), `more ${label}`));
  }

  choice(label, options, get, put) {
    const select = el("select", { "aria-label": label, onchange: () => put(select.value) },
      options.map(([value, text]) => el("option", { value }, text)));
    this.fields.push(() => { select.value = get(); });
    return this.group(label, select);
  }

  tick(label, get, put) {
    const box = el("input", { type: "checkbox", onchange: () => put(box.checked) });
    this.fields.push(() => { box.checked = get(); });
    return el("label", { class: "cx-tick" }, box, label);
  }

  group(label, ...nodes) {
    return el("div", { class: "cx-group", role: "group", "aria-label": label }, el("span", { class: "cx-label" }, label), el("span", { class: "cx-row" }, nodes.flat()));
  }

  button(text, onclick, label) {
    return el("button", { type: "button", onclick, ...(label ? { "aria-label": label, title: label } : {}) }, text);
  }

  reset(also = () => {}) {
    return this.button("Reset", () => { this.set(structuredClone(this.first)); also(); }, "Reset to the settings of the call");
  }

  // A slider through `count()` steps with [ and ] buttons and play; with reduced motion play makes one step.
  scrubber(label, { count, at, go, words, pace = 90 }) {
    const range = el("input", { type: "range", min: 0, step: 1, "aria-label": label, oninput: () => go(range.valueAsNumber) });
    const some = () => Number.isInteger(count()) && count() >= 1; // settings that do not work leave nothing to step through
    const step = (by) => some() && go(Math.max(0, Math.min(count() - 1, at() + by)));
    const play = this.button("▶", () => toggle(), `Play: ${label}`);
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    const show = () => { play.textContent = this.playing ? "⏸" : "▶"; };
    const run = (token) => setTimeout(() => {
      if (this.playing !== token || !this.root.isConnected) return;
      step(1);
      if (!some() || at() >= count() - 1) this.playing = null; else run(token);
      show();
    }, pace);
    const toggle = () => {
      if (!some()) return;
      if (at() >= count() - 1) go(0);
      else if (still.matches) step(1);
      if (still.matches) return;
      this.playing = this.playing ? null : {};
      if (this.playing) run(this.playing);
      show();
    };
    this.fields.push(() => {
      range.max = Math.max(0, count() - 1);
      range.value = at();
      range.setAttribute("aria-valuetext", words());
    });
    Object.assign(this.keys, { Space: toggle, "[": () => step(-1), "]": () => step(1) });
    return el("div", { class: "cx-scrub" }, this.button("‹", () => step(-1), "Step back ( [ )"), play,
      this.button("›", () => step(1), "Step on ( ] )"), range);
  }

  // Code that runs: each maker's text is shown when asked for, and put on the clipboard where that is allowed.
  code(makers) {
    const box = el("textarea", { readonly: true, rows: 6, "aria-label": "Code", hidden: true, spellcheck: "false" });
    const told = el("span", { class: "cx-told", role: "status" });
    const copy = async (name, make) => {
      box.hidden = false;
      box.value = make();
      box.select();
      const copied = await navigator.clipboard?.writeText(box.value).then(() => true, () => false);
      told.textContent = copied ? `Copied as ${name}.` : "Selected: copy it with Ctrl+C.";
    };
    const all = { Python: () => this.call(), ...makers };
    return el("div", { class: "cx-code" },
      el("div", { class: "cx-row" }, Object.entries(all).map(([name, make]) => this.button(`Copy as ${name}`, () => copy(name, make))), told), box);
  }

  call() {
    return constructorCall(this.pythonName, this.state, this.defaults, /^\w+$/.exec(this.model.get("_function") ?? "")?.[0]); // a lambda has no name to write
  }

  help(lines) {
    return el("details", { class: "cx-help" }, el("summary", {}, "Keys"), el("ul", {}, lines.map((line) => el("li", {}, line))));
  }

  show(host, ...nodes) {
    this.root.append(...nodes);
    host.append(this.root);
    this.schedule();
    return () => { this.stops.forEach((stop) => stop()); this.root.remove(); };
  }
}
