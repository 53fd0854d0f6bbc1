// A grid of numbers on a canvas: colours, digits where they fit, marks; pointer, touch and arrow keys move in it.
import { show } from "./core.js";
import { el } from "./ui.js";

// What a cell can be, as flags. Each has a shape of its own beside its colour.
export const PAD = 1, UNREAD = 2, WINDOW = 4, TOUCHED = 8, WRONG = 16, EMPTY = 32;

export class Grid {
  // `move(row, col, pressed, how)` on pointer and arrows (pressed: a button is down, or Shift; how: "key", or "down" where a
  // pointer comes down), `pin(row, col)` on click and Enter, `type(text)` on a digit.
  constructor(page, label, { move = null, pin = null, type = null, biggest = 34, tall = 460 } = {}) {
    Object.assign(this, { page, move, pin, type, biggest, tall, spec: null });
    this.title = el("figcaption", {}, label);
    this.canvas = el("canvas", { role: move ? "application" : "img", "aria-label": label, ...(move ? { tabindex: 0, "aria-roledescription": "grid of numbers" } : {}) });
    this.below = el("div", { class: "cx-below" });
    this.node = el("figure", { class: "cx-grid" }, this.title, this.canvas, this.below);
    if (move) this.listen();
    const watch = new ResizeObserver(([{ contentRect: { width } }]) => { // asking in each frame would lay out the page in each
      if (width && Math.round(width) !== this.wide) { this.wide = Math.round(width); page.schedule(); }
    });
    watch.observe(this.node);
    page.stops.push(() => watch.disconnect());
  }

  listen() {
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect(), s = this.spec;
      if (!s?.rows || !s.cols) return null;
      const col = Math.floor((event.clientX - box.left - this.edge) / this.cell);
      const row = Math.floor((event.clientY - box.top - this.edge) / this.cell);
      return [Math.max(0, Math.min(s.rows - 1, row)), Math.max(0, Math.min(s.cols - 1, col))];
    };
    const to = (event, act) => { const place = at(event); if (place) act?.(place[0] + this.spec.top, place[1] + this.spec.left, event.buttons > 0, event.type === "pointerdown" && "down"); };
    // a mouse at rest also "moves" when the page shifts under it: only real moves count
    const moved = (e) => (e.pointerType === "mouse" && `${e.screenX},${e.screenY}` !== this.page.pointer) || e.buttons;
    this.canvas.addEventListener("pointermove", (e) => moved(e) && to(e, this.move));
    this.canvas.addEventListener("pointerdown", (e) => { this.canvas.focus({ preventScroll: true }); to(e, this.move); });
    this.canvas.addEventListener("click", (e) => to(e, this.pin));
    this.canvas.addEventListener("keydown", (e) => this.key(e));
  }

  key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    this.page.settle();
    const s = this.spec;
    if (!s?.rows || !s.cols || event.ctrlKey || event.metaKey || event.altKey) return;
    const [row, col] = s.cursor ?? s.start ?? [s.top, s.left];
    const within = (n, first, count) => Math.max(first, Math.min(first + count - 1, n));
    const leap = s.leap ?? 1;
    if (step) this.move(within(row + leap * step[0], s.top, s.rows), within(col + leap * step[1], s.left, s.cols), event.shiftKey, "key");
    else if (event.key === "Enter" && this.pin) this.pin(row, col);
    else if (this.type && /^[-0-9.]$/.test(event.key)) return this.type();
    else return;
    event.preventDefault();
  }

  // spec: rows, cols, values (flat), flags (flat), top, left (index of the first), cursor, pinned, text(n), quiet.
  draw(spec) {
    this.spec = spec = { top: 0, left: 0, flags: null, cursor: null, pinned: null, ...spec };
    if (spec.title) { this.title.textContent = spec.title; this.canvas.setAttribute("aria-label", spec.label ?? spec.title); }
    const wide = Math.max(60, (this.wide ||= this.node.clientWidth)), { rows, cols } = spec;
    this.edge = wide / (cols + 1) >= 15 && !spec.bare ? 18 : 1;
    this.cell = Math.max(0.5, Math.min(this.biggest, (wide - this.edge - 1) / Math.max(cols, 1), (this.tall - this.edge) / Math.max(rows, 1)));
    if (this.cell > 6) this.cell = Math.floor(this.cell);
    const size = [this.edge + cols * this.cell + 1, this.edge + rows * this.cell + 1], paper = this.paper(this.canvas, ...size);
    if (!rows || !cols) return;
    this.under(spec, size);
    paper.drawImage(this.back, 0, 0, ...size);
    if (spec.flags) this.marks(paper, spec);
    spec.over?.(paper, this.edge, this.cell);
    this.frames(paper, spec);
  }

  // Colours and digits, drawn again only when they change: the marks move over them.
  under(spec, size) {
    const now = [spec.values, spec.scale, spec.rows, spec.cols, spec.top, spec.left, this.cell, this.edge, this.page.ink, window.devicePixelRatio];
    if (this.drawn && now.every((part, n) => part === this.drawn[n])) return;
    this.drawn = now;
    this.back ??= document.createElement("canvas");
    const paper = this.paper(this.back, ...size);
    this.fill(paper, spec);
    this.digits(paper, spec);
  }

  paper(canvas, width, height) {
    const dense = window.devicePixelRatio || 1;
    const [w, h] = [Math.ceil(width * dense), Math.ceil(height * dense)];
    if (canvas.width !== w || canvas.height !== h) {
      Object.assign(canvas, { width: w, height: h });
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    }
    const paper = canvas.getContext("2d");
    paper.setTransform(dense, 0, 0, dense, 0, 0);
    paper.clearRect(0, 0, width, height);
    return paper;
  }

  fill(paper, { rows, cols, values, flags, scale, grey }) {
    const { cell, edge, page } = this, gap = cell > 6 ? 1 : 0;
    if (!flags?.some((flag) => flag & EMPTY)) this.picture(paper, { rows, cols, values, scale: scale || 1, grey });
    else for (let r = 0, n = 0; r < rows; r++)
      for (let c = 0; c < cols; c++, n++) {
        if (flags && flags[n] & EMPTY) continue;
        paper.fillStyle = page.shade(values[n] / (scale || 1));
        paper.fillRect(edge + c * cell, edge + r * cell, cell - gap, cell - gap);
      }
    if (!gap) return;
    paper.strokeStyle = page.ink.line;
    paper.lineWidth = 1;
    paper.beginPath();
    for (let r = 0; r <= rows; r++) { paper.moveTo(edge, edge + r * cell - 0.5); paper.lineTo(edge + cols * cell, edge + r * cell - 0.5); }
    for (let c = 0; c <= cols; c++) { paper.moveTo(edge + c * cell - 0.5, edge); paper.lineTo(edge + c * cell - 0.5, edge + rows * cell); }
    paper.stroke();
  }

  // One picture, a pixel a cell, blown up.
  picture(paper, { rows, cols, values, scale, grey }) {
    const { cell, edge, page } = this, small = (this.small ??= document.createElement("canvas"));
    Object.assign(small, { width: cols, height: rows });
    const ink = small.getContext("2d"), image = ink.createImageData(cols, rows);
    const pixels = new Uint32Array(image.data.buffer), words = grey ? page.greys : page.words;
    for (let n = 0; n < rows * cols; n++) pixels[n] = words[page.step(values[n] / scale)];
    ink.putImageData(image, 0, 0);
    paper.imageSmoothingEnabled = false;
    paper.drawImage(small, edge, edge, cols * cell, rows * cell);
    paper.strokeStyle = page.ink.line;
    paper.strokeRect(edge - 0.5, edge - 0.5, cols * cell + 1, rows * cell + 1);
  }

  digits(paper, { rows, cols, values, flags, text, top, left, bare }) {
    const { cell, edge, page } = this;
    paper.textAlign = "center";
    paper.textBaseline = "middle";
    if (edge > 1 && !bare) {
      paper.fillStyle = page.ink.faint;
      paper.font = "10px system-ui, sans-serif";
      for (let c = 0; c < cols; c++) paper.fillText(show(c + left), edge + (c + 0.5) * cell, edge / 2);
      for (let r = 0; r < rows; r++) paper.fillText(show(r + top), edge / 2, edge + (r + 0.5) * cell);
    }
    if (cell < 15) return;
    for (let r = 0, n = 0; r < rows; r++)
      for (let c = 0; c < cols; c++, n++) {
        if (flags && flags[n] & EMPTY) continue;
        const word = text ? text(n) : show(values[n]), pad = flags && flags[n] & PAD;
        paper.fillStyle = pad ? page.ink.faint : page.ink.text;
        paper.font = `${pad ? "italic " : ""}${Math.min(cell * 0.44, (cell * 1.4) / Math.max(word.length, 1)).toFixed(1)}px system-ui, sans-serif`;
        paper.fillText(word, edge + (c + 0.5) * cell, edge + (r + 0.54) * cell);
      }
  }

  marks(paper, { rows, cols, flags }) {
    const { cell, edge, page } = this, thick = Math.max(1, Math.min(2.5, cell / 8));
    for (let r = 0, n = 0; r < rows; r++)
      for (let c = 0; c < cols; c++, n++) {
        const flag = flags[n], x = edge + c * cell, y = edge + r * cell;
        if (!(flag & ~EMPTY)) continue;
        if (flag & PAD) this.dash(paper, x, y);
        if (flag & UNREAD) this.hatch(paper, x, y);
        if (cell < 9 || this.spec.outline) this.edges(paper, n, x, y);
        else if (flag & WINDOW) this.box(paper, x, y, page.ink.mark, thick, []);
        else if (flag & TOUCHED) this.box(paper, x, y, page.ink.touch, thick, [3, 2]);
        if (flag & WRONG) this.cross(paper, x, y);
      }
    paper.setLineDash([]);
  }

  box(paper, x, y, colour, thick, dashes) {
    const inset = thick / 2;
    paper.strokeStyle = colour;
    paper.lineWidth = thick;
    paper.setLineDash(dashes);
    paper.strokeRect(x + inset, y + inset, this.cell - 1 - 2 * inset, this.cell - 1 - 2 * inset);
  }

  // In small cells only the outline of a marked region.
  edges(paper, n, x, y) {
    const { cell, page, spec: { rows, cols, flags } } = this, kind = flags[n] & (WINDOW | TOUCHED);
    if (!kind) return;
    const same = (r, c) => r >= 0 && c >= 0 && r < rows && c < cols && flags[r * cols + c] & kind;
    const row = Math.floor(n / cols), col = n % cols;
    paper.fillStyle = kind & WINDOW ? page.ink.mark : page.ink.touch;
    if (!same(row - 1, col)) paper.fillRect(x, y, cell, 1.5);
    if (!same(row + 1, col)) paper.fillRect(x, y + cell - 1.5, cell, 1.5);
    if (!same(row, col - 1)) paper.fillRect(x, y, 1.5, cell);
    if (!same(row, col + 1)) paper.fillRect(x + cell - 1.5, y, 1.5, cell);
  }

  dash(paper, x, y) {
    if (this.cell < 8) { paper.fillStyle = this.page.ink.line; paper.fillRect(x + this.cell / 3, y + this.cell / 3, this.cell / 3, this.cell / 3); }
    else this.box(paper, x + 1, y + 1, this.page.ink.line, 1, [2, 2]);
  }

  hatch(paper, x, y) {
    const size = this.cell - 1;
    paper.strokeStyle = this.page.ink.faint;
    paper.lineWidth = 1;
    paper.setLineDash([]);
    paper.beginPath();
    for (let d = size > 12 ? 6 : Math.max(2, size / 2); d < 2 * size; d += Math.max(3, size / 3)) {
      paper.moveTo(x + Math.max(0, d - size), y + Math.min(d, size));
      paper.lineTo(x + Math.min(d, size), y + Math.max(0, d - size));
    }
    paper.stroke();
  }

  cross(paper, x, y) {
    const size = this.cell - 1, arm = Math.max(2, size * 0.26);
    this.box(paper, x, y, this.page.ink.bad, Math.max(1, Math.min(2, size / 6)), []);
    paper.beginPath();
    paper.moveTo(x + size - arm, y + 2);
    paper.lineTo(x + size - 2, y + arm);
    paper.moveTo(x + size - 2, y + 2);
    paper.lineTo(x + size - arm, y + arm);
    paper.stroke();
  }

  // The cursor is a thick frame with a light line inside it, so it shows on any colour; a pin is a corner.
  frames(paper, { cursor, pinned, top, left }) {
    const { cell, edge, page } = this;
    const corner = ([row, col]) => [edge + (col - left) * cell, edge + (row - top) * cell];
    paper.setLineDash([]);
    if (cursor) {
      const [x, y] = corner(cursor), room = cell < 6 ? 5 : 0; // round a small cell, on a big one
      paper.strokeStyle = page.ink.mark;
      paper.lineWidth = room ? 2 : 3;
      if (room) { paper.globalCompositeOperation = "difference"; paper.strokeStyle = "#fff"; } // seen on any picture
      paper.strokeRect(x - room, y - room, cell - 1 + 2 * room, cell - 1 + 2 * room);
      paper.globalCompositeOperation = "source-over";
    }
    if (pinned) {
      const [x, y] = corner(pinned), arm = Math.max(4, cell * 0.34);
      paper.fillStyle = page.ink.mark;
      paper.beginPath();
      paper.moveTo(x, y);
      paper.lineTo(x + arm, y);
      paper.lineTo(x, y + arm);
      paper.fill();
    }
  }
}
