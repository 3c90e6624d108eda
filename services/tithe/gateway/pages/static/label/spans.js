// Answering with spans: marked by mouse or touch with Recogito's text annotator, or by keys alone, word by word.
// People and the interface count code points; the browser counts UTF-16 units; tokens are marked whole.
import { units } from "./show.js";

const KEYS = [..."1234567890"];
const COLOURS = 8;
const text = document.getElementById("text");
const letters = document.getElementById("letters");
const types = document.getElementById("classes");
const listed = document.getElementById("spans");

export class Spans {
  constructor(project, answered) {
    this.labels = project.labels;
    this.answered = answered;
    this.active = 0;
    this.spans = [];
    this.selected = null;
    this.cursor = null; // {from, to}: words
    this.left = null; // the word it left last
    document.getElementById("submit").hidden = false;
    listed.hidden = false;
    types.setAttribute("aria-label", "Types");
    this.buttons = project.labels.map((label, at) => this.button(label, at));
    types.replaceChildren(...this.buttons);
    this.annotator = window.RecogitoJS.createTextAnnotator(text, {
      renderer: "SPANS",
      style: (annotation) => ({ fill: this.fill(annotation.id), fillOpacity: 0.35 }),
    });
    this.exact = false;
    document.addEventListener("pointerup", (event) => { this.exact = event.altKey; }, true);
    this.annotator.on("createAnnotation", (made) => this.marked(made));
    this.annotator.on("selectionChanged", (chosen) => chosen.length && this.select(chosen[0].id));
  }

  button(label, at) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = `class outline type-${at % COLOURS}`;
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
    made.addEventListener("click", () => this.type(at));
    return made;
  }

  fill(id) {
    const span = this.spans.find((one) => one.id === id);
    const at = span ? this.labels.indexOf(span.label) : this.active;
    return getComputedStyle(document.documentElement).getPropertyValue(`--type-${at % COLOURS}`).trim() || "#0b6e5b";
  }

  show(item, before) {
    this.at = units(letters.textContent);
    this.words = words(item, letters.textContent, this.at);
    this.spans = [];
    this.selected = this.cursor = this.left = null;
    const begin = before ?? item.prediction?.spans ?? [];
    for (const { start, end, label } of begin) this.put(start, end, label);
    const suggestion = document.getElementById("suggestion");
    suggestion.hidden = before !== undefined || !item.prediction?.spans;
    suggestion.textContent = "What is marked the model marked. Put it right, then Enter.";
    this.redraw();
  }

  // ---- by mouse ----

  marked(made) {
    const { start, end } = made.target.selector[0];
    this.annotator.removeAnnotation(made.id);
    const [from, to] = [this.point(start, false), this.point(end, true)];
    const [first, last] = this.snapped(from, to);
    if (first !== null) this.mark(first, last, this.labels[this.active]);
    this.annotator.cancelSelected?.();
    window.getSelection()?.removeAllRanges();
  }

  // The code point at a place between UTF-16 units: up where it stands inside of one.
  point(unit, up) {
    let at = this.at.findIndex((one) => one >= unit);
    if (at < 0) at = this.at.length - 1;
    return this.at[at] > unit && !up ? at - 1 : at;
  }

  // Whole words, unless Alt is held: then from letter to letter. An item that came as tokens has whole tokens only.
  snapped(start, end) {
    const touched = this.words.filter((word) => word.start < end && word.end > start);
    if (!touched.length) return [null, null];
    if (this.words.whole || !this.exact) return [touched[0].start, touched[touched.length - 1].end];
    const points = [...letters.textContent];
    while (start < end && /\s/u.test(points[start])) start += 1;
    while (end > start && /\s/u.test(points[end - 1])) end -= 1;
    return start < end ? [start, end] : [null, null];
  }

  // ---- what is marked ----

  // Spans do not overlap: a new one takes the place of those it touches.
  mark(start, end, label) {
    this.spans = this.spans.filter((one) => one.end <= start || one.start >= end);
    this.selected = this.put(start, end, label).id;
    this.redraw();
  }

  put(start, end, label) {
    const span = { id: `s${start}-${end}-${Math.random().toString(36).slice(2)}`, start, end, label };
    this.spans.push(span);
    this.spans.sort((a, b) => a.start - b.start);
    return span;
  }

  select(id) {
    if (id !== null && !this.spans.some((one) => one.id === id)) return;
    this.selected = id;
    this.list();
  }

  remove(id) {
    this.spans = this.spans.filter((one) => one.id !== id);
    this.selected = null;
    this.redraw();
  }

  redraw() {
    const node = letters.firstChild;
    const drawn = this.spans.map((span) => {
      const range = new Range();
      const [start, end] = [this.at[span.start], this.at[span.end]];
      range.setStart(node, start);
      range.setEnd(node, end);
      return {
        id: span.id,
        bodies: [],
        target: { annotation: span.id, selector: [{ quote: node.data.slice(start, end), start, end, range }] },
      };
    });
    this.annotator.setAnnotations(drawn, true);
    this.list();
  }

  list() {
    const points = [...letters.textContent];
    listed.replaceChildren();
    for (const span of this.spans) {
      const entry = document.createElement("li");
      const pick = document.createElement("button");
      pick.type = "button";
      pick.className = `span outline type-${this.labels.indexOf(span.label) % COLOURS}`;
      pick.setAttribute("aria-pressed", String(span.id === this.selected));
      pick.textContent = `${points.slice(span.start, span.end).join("")} · ${span.label}`;
      pick.addEventListener("click", () => this.select(span.id === this.selected ? null : span.id));
      const away = document.createElement("button");
      away.type = "button";
      away.className = "span-away outline secondary";
      away.textContent = "×";
      away.setAttribute("aria-label", `Unmark ${pick.textContent}`);
      away.addEventListener("click", () => this.remove(span.id));
      entry.append(pick, away);
      listed.append(entry);
    }
    this.buttons.forEach((button, at) => {
      const chosen = this.spans.find((one) => one.id === this.selected);
      button.setAttribute("aria-pressed", String(chosen ? chosen.label === this.labels[at] : at === this.active));
    });
  }

  // ---- by keys ----

  // A type: of what the cursor is on, of what is selected, or of what is marked next.
  type(at) {
    this.active = at;
    const label = this.labels[at];
    const chosen = this.spans.find((one) => one.id === this.selected);
    if (this.cursor) {
      const [from, to] = [Math.min(this.cursor.from, this.cursor.to), Math.max(this.cursor.from, this.cursor.to)];
      this.mark(this.words[from].start, this.words[to].end, label);
      this.left = to; // walking goes on from here
      this.cursor = null;
      this.drawCursor();
    } else if (chosen) {
      chosen.label = label;
      this.redraw();
    } else this.list();
  }

  key(event) {
    const at = KEYS.indexOf(event.key);
    if (at >= 0 && at < this.labels.length) this.type(at);
    else if (event.key === "Enter") this.submit();
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") this.walk(event.key === "ArrowRight" ? 1 : -1, event.shiftKey);
    else if (event.key === "Tab" && this.spans.length && !event.shiftKey && document.activeElement === document.body) this.nextSpan();
    else if ((event.key === "Delete" || event.key === "Backspace") && this.selected) this.remove(this.selected);
    else if (event.key === "Escape") {
      this.cursor = null;
      this.selected = null;
      this.drawCursor();
      this.list();
    } else return false;
    return true;
  }

  nextSpan() {
    const at = this.spans.findIndex((one) => one.id === this.selected);
    this.select(this.spans[(at + 1) % this.spans.length].id);
  }

  walk(step, more) {
    if (!this.words.length) return;
    const last = this.words.length - 1;
    if (!this.cursor) {
      const at = this.left === null ? (step > 0 ? 0 : last) : Math.min(last, Math.max(0, this.left + step));
      this.cursor = { from: at, to: at };
    } else {
      const to = Math.min(last, Math.max(0, this.cursor.to + step));
      this.cursor = { from: more ? this.cursor.from : to, to };
    }
    this.selected = null;
    this.drawCursor();
  }

  drawCursor() {
    if (!window.Highlight || !CSS.highlights) return;
    CSS.highlights.delete("cursor");
    if (!this.cursor) return;
    const [from, to] = [Math.min(this.cursor.from, this.cursor.to), Math.max(this.cursor.from, this.cursor.to)];
    const range = new Range();
    range.setStart(letters.firstChild, this.at[this.words[from].start]);
    range.setEnd(letters.firstChild, this.at[this.words[to].end]);
    CSS.highlights.set("cursor", new Highlight(range));
    document.getElementById("spoken").textContent = range.toString();
  }

  submit() {
    this.cursor = null;
    this.drawCursor();
    this.answered(this.spans.map(({ start, end, label }) => ({ start, end, label })));
  }

  help() {
    return [
      ["mouse", "drag over words: they are marked with the type that is on; with Alt from letter to letter"],
      ["← →", "walk over the words; with Shift take in more"],
      ["1 – 9, 0", "mark the words with a type, or give it to what is selected"],
      ["Tab", "select what is marked, one after the other"],
      ["Delete", "unmark what is selected"],
      ["Enter", "done: there is nothing else to mark"],
    ];
  }

  static said(value) {
    return value.length ? value.map((span) => span.label).join(", ") : "nothing marked";
  }
}

// Words to walk over, in code points. Those of an item that came as tokens are its tokens.
function words(item, string, at) {
  const found = [];
  if (item.tokens) {
    let start = 0;
    for (const token of item.tokens) {
      const length = [...token].length;
      found.push({ start, end: start + length });
      start += length + 1;
    }
    found.whole = true;
    return found;
  }
  const place = new Map(at.map((unit, point) => [unit, point]));
  const parts = new Intl.Segmenter(undefined, { granularity: "word" });
  for (const { segment, index, isWordLike } of parts.segment(string)) {
    if (isWordLike || /[^\s\p{P}]/u.test(segment)) found.push({ start: place.get(index), end: place.get(index + segment.length) });
  }
  return found;
}
