// Answering with classes: one of them, or several.
const KEYS = [..."1234567890"];
const FEW = 20;
const list = document.getElementById("classes");
const filter = document.getElementById("filter");
const suggestion = document.getElementById("suggestion");

export class Classes {
  constructor(project, answered) {
    this.several = project.task === "multilabel_classification";
    this.labels = project.labels;
    this.answered = answered;
    this.chosen = new Set();
    this.guess = null;
    document.getElementById("submit").hidden = !this.several;
    document.getElementById("filter-label").hidden = project.labels.length <= FEW;
    this.buttons = project.labels.map((label, at) => this.button(label, at));
    list.replaceChildren(...this.buttons);
    filter.addEventListener("input", () => this.narrow());
    filter.addEventListener("keydown", (event) => this.inFilter(event));
  }

  button(label, at) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "class outline";
    made.dataset.testid = "class";
    made.dataset.label = label;
    const name = document.createElement("span");
    name.textContent = label;
    made.append(name);
    if (at < KEYS.length) {
      const key = document.createElement("kbd");
      key.textContent = KEYS[at];
      made.prepend(key, " ");
      made.setAttribute("aria-keyshortcuts", KEYS[at]);
    }
    if (this.several) made.setAttribute("aria-pressed", "false");
    made.addEventListener("click", () => this.choose(label));
    return made;
  }

  // `before`: what was answered, where an item comes back.
  show(item, before) {
    const guess = item.prediction;
    this.guess = this.several ? (guess?.labels ?? null) : (guess?.label ?? null);
    this.chosen = new Set(before !== undefined ? [before].flat().filter((one) => one !== null) : this.several ? (this.guess ?? []) : []);
    suggestion.hidden = this.guess === null;
    const named = [this.guess ?? []].flat();
    const sure = guess?.confidence ? ` (${Math.round(100 * guess.confidence)} %)` : "";
    suggestion.textContent = `The model: ${named.length ? named.join(", ") : "none of them"}${sure}. Enter takes it.`;
    if (filter.value) {
      filter.value = "";
      this.narrow();
    }
    this.draw();
  }

  draw() {
    for (const button of this.buttons) {
      const label = button.dataset.label;
      const on = this.chosen.has(label);
      button.classList.toggle("chosen", on);
      button.classList.toggle("guessed", [this.guess].flat().includes(label));
      if (this.several) button.setAttribute("aria-pressed", String(on));
    }
  }

  choose(label) {
    if (!this.several) {
      this.answered(label);
      return;
    }
    if (!this.chosen.delete(label)) this.chosen.add(label);
    this.draw();
  }

  submit() {
    if (this.several) this.answered(this.labels.filter((label) => this.chosen.has(label)));
    else if (this.chosen.size) this.answered([...this.chosen][0]);
    else if (this.guess !== null) this.answered(this.guess);
  }

  key(event) {
    const at = KEYS.indexOf(event.key);
    if (at >= 0 && at < this.labels.length) this.choose(this.labels[at]);
    else if (event.key === "Enter") this.submit();
    else if (event.key === "/" && this.labels.length > FEW) filter.focus();
    else return false;
    return true;
  }

  narrow() {
    const wanted = filter.value.trim().toLowerCase();
    for (const button of this.buttons) button.hidden = !button.dataset.label.toLowerCase().includes(wanted);
  }

  inFilter(event) {
    if (event.key === "Escape") filter.blur();
    if (event.key !== "Enter") return;
    event.preventDefault();
    const first = this.buttons.find((button) => !button.hidden);
    if (first && filter.value.trim()) {
      const label = first.dataset.label;
      filter.value = "";
      this.narrow();
      filter.blur();
      this.choose(label);
    }
  }

  help() {
    const keys = [["1 – 9, 0", this.several ? "mark a class, or unmark it" : "answer with a class"]];
    keys.push(["Enter", this.several ? "done: what is marked applies" : "take what the model says"]);
    if (this.labels.length > FEW) keys.push(["/", "find a class by its name"]);
    return keys;
  }

  static said(value) {
    return Array.isArray(value) ? value.join(", ") || "none" : value;
  }
}
