// The page: what is shown, what was answered, and what happens next. Drawn first, sent after.
import { call } from "./api.js";
import { Classes } from "./classes.js";
import { Outbox } from "./outbox.js";
import { showDoubt, showItem } from "./show.js";
import { Spans } from "./spans.js";
import { Tally } from "./tally.js";
import { showWhy } from "./why.js";
import { Window } from "./window.js";
import { emptyWords } from "./words.js";

const $ = (id) => document.getElementById(id);
const project = JSON.parse($("project").textContent);
const outbox = new Outbox(`${project.id}-${project.annotator}`);
const items = new Window(project, outbox);
const tally = new Tally(project, $("progress"));
const way = project.task === "token_classification" ? new Spans(project, answer) : new Classes(project, answer);
const said = project.task === "token_classification" ? Spans.said : Classes.said;
const doubt = $("doubt");

let current = null;
let before; // what was answered to it, where it came back
const past = []; // {item, value, skip, note}, the newest last
window.titheTimings = []; // milliseconds from a key to the next item's frame; tests and curious people look here

// ---- one item after the other ----

function show(item, answered) {
  current = item;
  before = answered;
  $("empty").hidden = true;
  $("item").hidden = $("answer").hidden = false;
  $("item").setAttribute("aria-busy", "false");
  $("problem").hidden = true;
  showItem(item, project);
  way.show(item, answered?.value);
  showWhy(item);
  showDoubt(item, doubt.checked);
  $("item").scrollTop = 0;
}

function next() {
  const item = items.next();
  if (item) show(item);
  else {
    current = null;
    $("item").hidden = $("answer").hidden = true;
    $("empty").hidden = false;
    $("empty").textContent = navigator.onLine ? "The next items are on their way …" : "There is no connection: the next items come when it is back.";
  }
}

function answer(value) {
  leave({ label: value }, { value });
}

function skip(note) {
  leave({ skip: true, note }, { skip: true, value: undefined, note });
}

// The next one is drawn before anything is sent.
function leave(label, kept) {
  if (!current) return;
  const began = performance.now();
  const item = current;
  const sent = { item_id: item.item_id, ...label };
  if (before) sent.correct = true;
  past.push({ item, ...kept });
  if (past.length > 50) past.shift();
  if (waitingToReturn) {
    show(waitingToReturn);
    waitingToReturn = null;
  } else next();
  requestAnimationFrame(() => {
    const channel = new MessageChannel(); // after the frame is drawn
    channel.port1.onmessage = () => window.titheTimings.push(performance.now() - began);
    channel.port2.postMessage(null);
  });
  outbox.add(item.batch, sent);
  tally.count(Boolean(before));
  drawPast();
}

// ---- back ----

let waitingToReturn = null;

function undo(at = past.length - 1) {
  if (at < 0 || at >= past.length) return;
  const [back] = past.splice(at, 1);
  if (current && !before) waitingToReturn = current;
  show(back.item, { value: back.skip ? null : back.value });
  drawPast();
}

function drawPast() {
  $("undo").disabled = past.length === 0;
  $("history-list").replaceChildren(
    ...past.slice(-12).reverse().map((one) => {
      const entry = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "past outline secondary";
      const text = one.item.text ?? one.item.tokens?.join(" ") ?? one.item.item_id;
      const what = one.skip ? "skipped" : said(one.value);
      button.textContent = `${what} — ${text.slice(0, 60)}`;
      button.title = "Answer it again";
      button.addEventListener("click", () => undo(past.indexOf(one)));
      entry.append(button);
      return entry;
    }),
  );
}

// ---- skipping, help ----

function openSkip() {
  if (!current) return;
  $("skip-form").reset();
  $("skip-dialog").showModal();
  $("skip-form").querySelector("input[name=reason]").focus();
}

$("skip-form").addEventListener("submit", () => {
  const reason = $("skip-form").querySelector("input[name=reason]:checked").value;
  const note = $("skip-note").value.trim();
  skip(note ? `${reason}: ${note}` : reason);
});
$("skip-form").addEventListener("keydown", (event) => {
  const choices = [...$("skip-form").querySelectorAll("input[name=reason]")];
  if (event.target.id === "skip-note" || !"1234".includes(event.key)) return;
  event.preventDefault();
  event.stopPropagation(); // it is no answer to the next item
  $("skip-dialog").close();
  skip(choices[Number(event.key) - 1].value);
});
$("skip-cancel").addEventListener("click", () => $("skip-dialog").close());

const KEYS = [...way.help(), ["S", "skip, with a reason"], ["Ctrl Z, U", "undo: the last one comes back"], ["W", "why this item?"], ["?", "these keys"]];
for (const [key, words] of KEYS) {
  const term = document.createElement("dt");
  const cap = document.createElement("kbd");
  cap.textContent = key;
  term.append(cap);
  const told = document.createElement("dd");
  told.textContent = words;
  $("help-keys").append(term, told);
}
$("help-open").addEventListener("click", () => $("help").showModal());
$("help-close").addEventListener("click", () => $("help").close());

// ---- keys ----

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.isComposing) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !typing(event)) {
    event.preventDefault();
    undo();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
  // A button that has the focus is pressed by Enter and space as everywhere; other keys are the page's.
  if (event.target.closest?.("button, summary, a") && (event.key === "Enter" || event.key === " ")) return;
  if (event.key.toLowerCase() === "s") openSkip();
  else if (event.key.toLowerCase() === "u") undo();
  else if (event.key.toLowerCase() === "w") $("why").open = !$("why").open;
  else if (event.key === "?") $("help").showModal();
  else if (!current || event.repeat || !way.key(event)) return;
  event.preventDefault();
});

function typing(event) {
  return event.target.matches?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
}

$("submit").addEventListener("click", () => way.submit());
$("skip").addEventListener("click", openSkip);
$("undo").addEventListener("click", () => undo());
doubt.checked = localStorage.getItem("tithe-doubt") !== "off";
doubt.addEventListener("change", () => {
  localStorage.setItem("tithe-doubt", doubt.checked ? "on" : "off");
  showDoubt(current, doubt.checked);
});

// ---- what the two tell ----

function banner(words, kind = "") {
  $("banner").hidden = !words;
  $("banner").className = `banner ${kind}`;
  $("banner").textContent = words;
}

let away = false;
function connection(lost) {
  away = lost;
  drawConnection();
}
function drawConnection() {
  const kept = outbox.size;
  const answers = `${kept} answer${kept === 1 ? "" : "s"}`;
  if (away) banner(kept ? `No connection: ${answers} kept here, sent when it is back. Go on.` : "No connection. Go on with what is here.", "warn");
  else if (!$("banner").classList.contains("bad")) banner("");
}
outbox.addEventListener("offline", () => connection(true));
outbox.addEventListener("online", () => connection(false));
outbox.addEventListener("changed", () => away && drawConnection());
outbox.addEventListener("signed-out", () => banner(`You are signed out: ${outbox.size} answers are kept here. Sign in again in another tab, and go on.`, "bad"));
outbox.addEventListener("forgetful", () => banner("This browser keeps nothing: do not close the page before everything is sent.", "warn"));
outbox.addEventListener("refused", ({ detail }) => banner(`An answer was not taken. ${detail.error.words}`, "bad"));
outbox.addEventListener("sent", ({ detail }) => {
  if (detail.outcome.outcome === "superseded") banner(`“${detail.answer.label.item_id}” was kept, but does not count: ${because(detail.outcome.because)}.`, "warn");
});
const because = (word) => (word ?? "somebody else answered it meanwhile").replaceAll("_", " ");

items.addEventListener("arrived", () => {
  if (!current) next();
});
items.addEventListener("online", () => connection(false));
items.addEventListener("empty", ({ detail }) => {
  if (current) return;
  $("item").hidden = $("answer").hidden = true;
  $("empty").hidden = false;
  $("empty").textContent = emptyWords(detail, outbox.size);
});
items.addEventListener("failed", ({ detail: error }) => {
  if (error.status === 401) window.location.assign(`/sign-in?next=${encodeURIComponent(window.location.pathname)}`);
  else if (error.status === undefined || error.passing) connection(true);
  else banner(error.words ?? String(error), "bad");
});
window.addEventListener("offline", () => connection(true));

// ---- guidelines ----

async function guidelines() {
  let told;
  try {
    told = await call("GET", `/v1/projects/${project.id}/guidelines`);
  } catch {
    return; // there are none
  }
  if (!told?.text) return;
  $("guidelines").hidden = false;
  $("guidelines-text").innerHTML = told.html; // made safe by the server, and nothing in it may run
  const seen = `tithe-guidelines-${project.id}`;
  $("guidelines-new").hidden = localStorage.getItem(seen) === null || localStorage.getItem(seen) === String(told.version);
  localStorage.setItem(seen, String(told.version));
}

// On a phone the side stands below, shut.
if (window.matchMedia("(max-width: 60rem)").matches) for (const one of document.querySelectorAll(".side details")) one.open = false;
drawPast();
outbox.open().then(() => items.fill());
guidelines();
