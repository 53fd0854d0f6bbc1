// The student's own function beside ours: asks the kernel for its answer, judges it, draws it with the wrong cells crossed out.
import { el } from "./ui.js";
import { Grid, WRONG } from "./grid.js";

export class Yours {
  constructor(page, options) {
    this.page = page;
    this.name = page.model.get("_function");
    this.grid = new Grid(page, "Yours", options);
    this.told = el("p", { class: "cx-yours", role: "status" });
    this.asked = null; // the question and its name; the question of the constructor's call is named ""
    this.judged = null;
    if (!this.name) return;
    const answered = () => page.schedule();
    page.model.on("change:_yours", answered);
    page.stops.push(() => page.model.off("change:_yours", answered));
  }

  // Ask for the map of these numbers, once for each change of the settings.
  ask(now) {
    const { page } = this, question = JSON.stringify(Object.keys(page.defaults).map((k) => page.state[k]));
    this.judged = null;
    this.asked ??= { question, ask: "" };
    if (!this.name || question === this.asked.question || !now.ok) return;
    this.asked = { question, ask: question };
    page.model.set("_ask", question);
    page.model.save_changes();
  }

  draw(now, spec, filter) {
    this.told.hidden = !this.name;
    this.grid.node.hidden = true;
    if (!this.name) return;
    const answer = this.page.model.get("_yours");
    if (answer?.ask !== this.asked.ask) {
      this.judged = null;
      this.told.textContent = `Asking ${this.name} … your function runs in the notebook’s kernel, so that must be running.`;
      return;
    }
    if (this.judged?.answer !== answer) this.judged = { ...now.judge(answer), answer };
    this.told.textContent = this.judged.text;
    if (!this.judged.wrong) return;
    const size = spec.rows * spec.cols, from = filter * size;
    const flags = spec.flags.map((flag, n) => flag | (this.judged.wrong[from + n] ? WRONG : 0));
    this.grid.node.hidden = false;
    this.grid.draw({ ...spec, flags, values: this.judged.values.subarray(from, from + size), title: `Yours: ${this.name}` });
  }

  // What to add to the sentence about output number n: nothing where it is right.
  remark(n, show) {
    return this.judged?.wrong?.[n] ? ` Yours has ${show(this.judged.values[n])} here.` : "";
  }
}
