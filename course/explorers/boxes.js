// The picture of ArchitectureBuilder: a box for each change of shape, as tall as the rows, as deep as the columns, as thick as the channels.
import { el } from "./ui.js";

const TALL = 96, OBLIQUE = 0.3, HEIGHT = 188, LABELS = 152;
const FAMILY = { conv: ["conv", -0.75], maxpool: ["pool", 0.75], avgpool: ["pool", 0.75], adaptivepool: ["pool", 0.75], residual: ["block", -1],
  linear: ["linear", -0.3], flatten: ["flat", 0], input: ["input", 0] };

export class Boxes {
  constructor(page, pick) {
    Object.assign(this, { page, spots: [], width: 0 });
    const at = (event) => {
      const x = event.clientX - this.canvas.getBoundingClientRect().left;
      const near = this.spots.reduce((best, spot) => (!best || Math.abs(spot.middle - x) < Math.abs(best.middle - x) ? spot : best), null);
      if (near) pick(near.path);
    };
    this.canvas = el("canvas", { role: "img", "aria-label": "A box for each change of shape: as tall as its rows, as thick as its channels", onclick: at, style: "cursor: pointer" });
    this.node = el("figure", {}, el("figcaption", {}, "A box for each change of shape: taller for more rows, thicker for more channels"), this.canvas);
    const watch = new ResizeObserver(([{ contentRect }]) => { this.width = contentRect.width; page.schedule(); });
    watch.observe(this.node);
    page.stops.push(() => watch.disconnect());
  }

  // Only rows that change the shape; the chosen one is shown by the last box before it.
  chosenBoxes(rows, input) {
    const shown = [{ kind: "input", shape: input, path: [] }];
    for (const { shape, before, layer, path, axes } of rows) if (axes && String(shape) !== String(before)) shown.push({ kind: layer[0], shape, path });
    return shown;
  }

  measure(shown) {
    const most = (pickOne) => Math.max(1, ...shown.map(({ shape }) => pickOne(shape) ?? 0)), flat = (shape) => shape.length === 1;
    const tallest = most((s) => (flat(s) ? 1 : Math.max(s[1], s[2]))), thickest = most((s) => (flat(s) ? 1 : s[0])), longest = most((s) => (flat(s) ? s[0] : 1));
    const part = (n, whole, size, least) => least + (size - least) * Math.sqrt(n / whole);
    const boxes = shown.map((box) => (flat(box.shape) ? { ...box, high: part(box.shape[0], longest, TALL, 6), deep: 0, thick: 5 }
      : { ...box, high: part(box.shape[1], tallest, TALL, 4), deep: OBLIQUE * part(box.shape[2], tallest, TALL, 4), thick: part(box.shape[0], thickest, 34, 3) }));
    const wide = boxes.reduce((total, box) => total + box.thick + box.deep, 0), room = this.width - 4 - wide;
    const gap = Math.max(3, Math.min(64, room / boxes.length)), squeeze = Math.min(1, (this.width - 4) / (wide + gap * boxes.length));
    let x = 2;
    for (const box of boxes) {
      Object.assign(box, { x, thick: box.thick * squeeze, deep: box.deep * squeeze });
      box.middle = x + (box.thick + box.deep) / 2;
      x += box.thick + box.deep + gap * squeeze;
    }
    return boxes;
  }

  draw(rows, input, chosen, broken) {
    if (!this.width) return;
    const { page, canvas } = this, dense = window.devicePixelRatio || 1, [w, h] = [Math.round(this.width * dense), HEIGHT * dense];
    if (canvas.width !== w || canvas.height !== h) {
      Object.assign(canvas, { width: w, height: h });
      Object.assign(canvas.style, { width: `${this.width}px`, height: `${HEIGHT}px` });
    }
    const paper = canvas.getContext("2d"), boxes = (this.spots = this.measure(this.chosenBoxes(rows, input)));
    paper.setTransform(dense, 0, 0, dense, 0, 0);
    paper.clearRect(0, 0, this.width, HEIGHT);
    const before = (path) => (path.length ? path[0] : -1), mine = boxes.findLast((box) => before(box.path) <= before(chosen));
    for (const box of boxes) this.box(paper, box, box === mine);
    paper.textAlign = "center";
    paper.textBaseline = "alphabetic";
    const [left, right] = this.label(paper, mine, "700 10px system-ui, sans-serif", page.ink.text);
    let said = -1;
    paper.font = "10px system-ui, sans-serif";
    paper.fillStyle = page.ink.faint;
    for (const box of boxes) {
      const { at, half } = this.room(box);
      if (box === mine || at - half < said || (at + half > left && at - half < right)) continue;
      this.label(paper, box);
      said = at + half;
    }
    if (!broken) return;
    const last = boxes.at(-1), x = Math.min(this.width - 12, last.x + last.thick + last.deep + 8);
    paper.strokeStyle = page.ink.bad;
    paper.lineWidth = 3;
    paper.beginPath();
    paper.moveTo(x - 5, 73); paper.lineTo(x + 5, 83); paper.moveTo(x + 5, 73); paper.lineTo(x - 5, 83);
    paper.stroke();
  }

  box(paper, { x, thick, deep, high, kind }, chosen) {
    const { page } = this, middle = 30 + TALL / 2, top = middle - high / 2 + deep / 2, up = deep;
    const face = (colour, ...points) => {
      paper.fillStyle = colour;
      paper.beginPath();
      points.forEach(([px, py]) => paper.lineTo(px, py));
      paper.closePath();
      paper.fill();
      paper.stroke();
    };
    const shade = FAMILY[kind]?.[1] ?? 0;
    paper.strokeStyle = chosen ? page.ink.mark : page.ink.faint;
    paper.lineWidth = chosen ? 2.5 : 1;
    paper.lineJoin = "round";
    face(page.shade(shade), [x, top], [x + thick, top], [x + thick, top + high], [x, top + high]);
    if (!deep) return;
    face(page.shade(shade * 0.55), [x, top], [x + deep, top - up], [x + deep + thick, top - up], [x + thick, top]);
    face(page.shade(shade * 0.8), [x + thick, top], [x + deep + thick, top - up], [x + deep + thick, top - up + high], [x + thick, top + high]);
  }

  // Kind, channels, rows × columns below the box, where there is room; always for the chosen one.
  lines({ shape, kind }) {
    return [FAMILY[kind]?.[0] ?? kind, String(shape[0]), shape.length > 1 ? `${shape[1]}×${shape[2]}` : ""];
  }

  room(box, letter = 3.2) {
    const half = letter * Math.max(...this.lines(box).map((line) => line.length)) + 1;
    return { half, at: Math.max(half, Math.min(this.width - half, box.middle)) };
  }

  label(paper, box, font, colour) {
    const { at, half } = this.room(box, font ? 3.7 : 3.2); // bold is wider
    if (font) Object.assign(paper, { font, fillStyle: colour });
    this.lines(box).forEach((line, n) => line && paper.fillText(line, at, LABELS + 10 + 12 * n));
    return [at - half, at + half];
  }
}
