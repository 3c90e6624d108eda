// A project's page: it listens for changes, and asks the interface for what it shows. Each panel fails on its own.
import { call, words } from "../people/send.js";
import { drawCurve } from "./curve.js";
import { manage } from "./manage.js";

const $ = (id) => document.getElementById(id);
const project = JSON.parse($("project").textContent);
const at = `/v1/projects/${project.id}`;
const number = (n) => (n === null || n === undefined ? "–" : n.toLocaleString("en"));
const seconds = (s) => (s === null || s === undefined ? "" : s < 10 ? `${s.toFixed(1)} s` : `${Math.round(s)} s`);
const EMPTY = "Nothing yet.";

function row(into, cells, headed = true) {
  const made = into.insertRow();
  cells.forEach((text, index) => {
    const cell = document.createElement(headed && index === 0 ? "th" : "td");
    if (headed && index === 0) cell.scope = "row";
    cell.textContent = text;
    made.append(cell);
  });
}

// ---- how far ----

let paceFrom = null; // {at, labels}: when this page began to watch

function tiles(status) {
  const { counts, budget, round, ranking, model } = status;
  $("labels").textContent = number(counts.labeled);
  paceFrom ??= { at: Date.now(), labels: counts.labeled };
  const hours = (Date.now() - paceFrom.at) / 3_600_000;
  const pace = hours > 1 / 120 && counts.labeled > paceFrom.labels ? `, ${number(Math.round((counts.labeled - paceFrom.labels) / hours))} an hour` : "";
  const of = budget.total ? `${number(budget.received)} of ${number(budget.total)} ${budget.unit} paid` : `of ${number(counts.items - counts.test)} items`;
  $("labels-more").textContent = `${of}${counts.skipped ? `, ${number(counts.skipped)} skipped` : ""}${pace}`;
  $("queue").textContent = number(status.queue_depth);
  const since = ranking.labels_since;
  $("queue-more").textContent = ranking.round === null ? "nothing is ranked yet" : `ranked in round ${ranking.round}, ${number(since)} label${since === 1 ? "" : "s"} ago; ${number(counts.leased)} with people`;
  const bar = $("round-progress");
  bar.hidden = round === null;
  if (round) {
    $("round").textContent = `${round.number}: ${round.state}`;
    $("round-more").textContent = round.rows ? `${number(round.rows_done)} of ${number(round.rows)} items` : round.reason.replaceAll("_", " ");
    bar.value = round.state === "training" ? (round.training ?? 0) : round.rows ? round.rows_done / round.rows : 0;
  } else {
    $("round").textContent = status.finished ? (status.finished_because ?? "done").replaceAll("_", " ") : model ? `model ${model.version}` : "waiting";
    $("round-more").textContent = model ? `learned from ${number(model.label_count)} labels` : "the first model comes with the first round of labels";
  }
  const busy = status.embedding.rows_ready < status.embedding.rows;
  const banner = status.last_failure
    ? `${status.last_failure.what}: ${status.last_failure.reason ?? "failed"}. It is tried again.`
    : busy ? `${number(status.embedding.rows_ready)} of ${number(status.embedding.rows)} items are encoded.` : "";
  $("banner").hidden = !banner;
  $("banner").textContent = banner;
}

function balance(counts) {
  const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const entries = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  $("balance").replaceChildren(...entries.slice(0, 40).map(([label, n]) => {
    const bar = document.createElement("div");
    bar.className = "bar";
    const name = document.createElement("span");
    name.textContent = label;
    const progress = document.createElement("progress");
    progress.max = Math.max(1, entries[0][1]);
    progress.value = n;
    progress.setAttribute("aria-label", label);
    const count = document.createElement("span");
    count.className = "count";
    count.textContent = n && all && n / all < 0.02 ? `${number(n)} rare` : number(n);
    bar.append(name, progress, count);
    return bar;
  }));
  if (entries.length > 40) $("balance").append(`and ${entries.length - 40} more`);
}

function annotators(list) {
  $("annotators").replaceChildren();
  for (const one of [...list].sort((a, b) => b.labels - a.labels)) {
    row($("annotators"), [one.annotator, number(one.labels), number(one.skips), new Date(one.last_seen).toLocaleString()]);
  }
  if (!list.length) row($("annotators"), [EMPTY, "", "", ""], false);
}

async function rounds(newest) {
  const page = await call("GET", `${at}/rounds?after=${Math.max(-1, newest - 20)}&limit=30`);
  $("rounds").replaceChildren();
  for (const one of page.rounds.reverse()) {
    row($("rounds"), [one.number, one.failure ? `failed: ${one.failure}` : one.state, one.reason.replaceAll("_", " "), number(one.label_count), number(one.pool_count), seconds(one.seconds.training), seconds(one.seconds.scoring), seconds(one.seconds.total)]);
  }
}

// ---- how good ----

function worth(proof) {
  const latest = proof.latest?.measured;
  const told = document.createElement("dl");
  told.className = "worth";
  const say = (term, text) => {
    if (!text) return;
    const name = document.createElement("dt");
    name.textContent = term;
    const words_ = document.createElement("dd");
    words_.textContent = text;
    told.append(name, words_);
  };
  if (proof.stopped_at) say("Stopped", (proof.stopped_because ?? "").replaceAll("_", " "));
  if (!latest) say("Nothing yet", proof.missing);
  else {
    say("Saved", latest.savings.words);
    if (latest.early && !latest.early.missing) say("Early on", latest.early.words);
    say("More labels", latest.advice.words);
    for (const one of latest.advice.criteria.filter((each) => each.met)) say("Met", one.words);
    for (const note of latest.notes) say("Note", note);
  }
  if (proof.failed) say("Not measured", `round ${proof.failed.round}: ${proof.failed.reason}`);
  say("Control arm", `${Math.round(100 * proof.control)} % of every hand-out, ${number(proof.control_labels)} labels so far`);
  $("worth").replaceChildren(told);
}

function quality(proof, history) {
  const q = proof.latest?.measured.quality;
  const last = history.points.at(-1);
  if (q && q.score !== null) {
    $("quality").textContent = q.score.toFixed(3);
    $("quality-more").textContent = `${q.metric.replaceAll("_", " ")}, ${q.low.toFixed(3)} to ${q.high.toFixed(3)} (95 %, ${number(q.rows)} control labels)`;
  } else if (last?.score !== null && last?.score !== undefined) {
    $("quality").textContent = last.score.toFixed(3);
    $("quality-more").textContent = `${last.metric.replaceAll("_", " ")}, by ${last.score_from.replaceAll("_", " ")}${q?.missing ? `; the control arm: ${q.missing}` : ""}`;
  } else {
    $("quality").textContent = "–";
    $("quality-more").textContent = "no model yet";
  }
}

// ---- once, and whenever something changed ----

async function panel(work) {
  try {
    await work();
  } catch (error) {
    $("banner").hidden = false;
    $("banner").textContent = words(error);
  }
}

let drawn = null; // models and measurements that the curve shows

async function look() {
  await panel(async () => {
    const status = await call("GET", `${at}/status`);
    tiles(status);
    balance(status.class_counts);
    annotators(status.annotators);
    const newest = status.round?.number ?? status.ranking.round ?? 0;
    await rounds(newest);
  });
}

async function proofs(mark) {
  if (mark === drawn) return;
  await panel(async () => {
    const [proof, history] = await Promise.all([call("GET", `${at}/proof`), call("GET", `${at}/history`)]);
    worth(proof);
    quality(proof, history);
    drawCurve($("curve"), $("curve-rows"), project, history, proof);
    drawn = mark;
  });
}

let busy = false;
let again = false;
async function changed(mark) {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  await look();
  await proofs(mark);
  busy = false;
  if (again) {
    again = false;
    setTimeout(() => changed(mark), 500);
  }
}

const events = new EventSource(`${at}/events`);
events.addEventListener("changed", ({ data }) => {
  const pulse = JSON.parse(data);
  changed(`${pulse.served_round}-${pulse.measurements}`);
});
changed("");
if (project.manages) manage(project, at);
