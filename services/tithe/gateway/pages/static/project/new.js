// A new project: its settings, a look at the first rows of its pool, then all of it.
import { call, words } from "../people/send.js";
import { kind, upload, words as came } from "./upload.js";

const $ = (id) => document.getElementById(id);
const form = $("new-project");
const problem = form.querySelector("[data-problem]");
const HEAD = 65_536;
const TEXTS = ["text", "body", "content", "message", "sentence", "review"];
let columns = [];
let made = null; // the project, once it is there: a file that was refused is sent again, not made again

async function firstRows(file) {
  const head = await file.slice(0, HEAD).text();
  if (kind(file) === "csv") return window.Papa.parse(head, { header: true, preview: 5, skipEmptyLines: true }).data;
  if (kind(file) === "parquet") return [];
  const lines = head.split("\n").filter((line) => line.trim()).slice(0, 5);
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

$("pool").addEventListener("change", async () => {
  const [file] = $("pool").files;
  $("preview").hidden = true;
  columns = [];
  if (!file) return;
  const rows = await firstRows(file);
  columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].slice(0, 12);
  if (!columns.length) return;
  $("preview").hidden = false;
  const longest = [...columns].sort((a, b) => length(rows, b) - length(rows, a))[0];
  const guess = columns.find((one) => TEXTS.includes(one.toLowerCase())) ?? longest;
  $("column").replaceChildren(...columns.map((one) => new Option(one, one, false, one === guess)));
  $("preview-head").replaceChildren(...columns.map((one) => {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = one;
    return cell;
  }));
  $("preview-rows").replaceChildren();
  for (const row of rows) {
    const drawn = $("preview-rows").insertRow();
    for (const one of columns) {
      const value = row[one];
      drawn.insertCell().textContent = (typeof value === "string" ? value : JSON.stringify(value) ?? "").slice(0, 120);
    }
  }
});

const length = (rows, column) => rows.reduce((sum, row) => sum + String(row[column] ?? "").length, 0);

function spec() {
  const sent = new FormData(form);
  const found = {
    name: sent.get("name"),
    task: sent.get("task"),
    labels: sent.get("labels").split("\n").map((one) => one.trim()).filter(Boolean),
    overlap: Number(sent.get("overlap") || 1),
    pre_annotate: sent.get("pre_annotate") === "on",
  };
  if (sent.get("budget")) found.budget = Number(sent.get("budget"));
  return found;
}

// Which column is the text; columns that mean nothing to Tithe go along with the item.
function readAs(file) {
  const query = kind(file) === "parquet" ? {} : { extra: "meta" };
  const column = $("column").value;
  if (columns.length && column && !["text", "tokens", "vector"].includes(column)) query.text_column = column;
  return query;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  const button = form.querySelector("button[type=submit]");
  button.setAttribute("aria-busy", "true");
  try {
    made ??= await call("POST", "/v1/projects", spec());
    const [file] = $("pool").files;
    if (file) {
      $("progress").hidden = false;
      const answer = await upload(`/v1/projects/${made.id}`, file, readAs(file), (share) => { $("progress").value = share; });
      $("told").textContent = came(answer);
      if (answer.rejected) {
        problem.textContent = "The rest is in. Look at the rows that were not taken, then go on to the project.";
        button.textContent = "Go on to the project";
        $("pool").value = "";
        return;
      }
    }
    window.location.assign(`/projects/${made.id}`);
  } catch (error) {
    problem.textContent = words(error);
  } finally {
    $("progress").hidden = true;
    button.removeAttribute("aria-busy");
  }
});
