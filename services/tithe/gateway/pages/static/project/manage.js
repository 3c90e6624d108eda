// What managers do: guidelines, members, rounds, stopping, items.
import { call, words } from "../people/send.js";

const $ = (id) => document.getElementById(id);
const MEDIA = { jsonl: "application/x-ndjson", ndjson: "application/x-ndjson", csv: "text/csv", parquet: "application/vnd.apache.parquet" };

export function manage(project, at) {
  guidelines(at);
  members(at);
  running(at);
  items(at);
}

async function guarded(problem, work) {
  problem.textContent = "";
  try {
    await work();
  } catch (error) {
    problem.textContent = words(error);
  }
}

function guidelines(at) {
  let version = 0;
  const show = (told) => {
    version = told.version;
    $("guidelines-text").value = told.text;
    $("guidelines-version").textContent = version ? `Version ${version}, by ${told.who}, ${new Date(told.at).toLocaleString()}` : "";
  };
  guarded($("guidelines-problem"), async () => show(await call("GET", `${at}/guidelines`)));
  $("guidelines-form").addEventListener("submit", (event) => {
    event.preventDefault();
    guarded($("guidelines-problem"), async () => show(await call("PUT", `${at}/guidelines`, { text: $("guidelines-text").value, after: version })));
  });
}

function members(at) {
  const list = async () => {
    const told = await call("GET", `${at}/members`);
    $("members").replaceChildren();
    for (const one of told.members) {
      const row = $("members").insertRow();
      row.insertCell().textContent = one.name;
      row.insertCell().textContent = one.role;
      const out = document.createElement("button");
      out.type = "button";
      out.className = "secondary outline";
      out.textContent = "Show out";
      out.setAttribute("aria-label", `Show ${one.name} out`);
      out.addEventListener("click", () => guarded($("member-problem"), async () => {
        await call("DELETE", `${at}/members/${encodeURIComponent(one.name)}`);
        await list();
      }));
      row.insertCell().append(out);
    }
  };
  guarded($("member-problem"), list);
  $("member-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const sent = new FormData(event.target);
    guarded($("member-problem"), async () => {
      await call("PUT", `${at}/members/${encodeURIComponent(sent.get("name"))}`, { role: sent.get("role") });
      event.target.reset();
      await list();
    });
  });
}

function running(at) {
  const told = $("import-told");
  $("ask-round").addEventListener("click", () => guarded(told, async () => {
    const round = await call("POST", `${at}/rounds`);
    told.textContent = `Round ${round.number} is asked for.`;
  }));
  const stop = $("stop");
  stop.addEventListener("click", () => guarded(told, async () => {
    const stopped = stop.textContent.startsWith("Stop");
    await call("POST", `${at}/${stopped ? "stop" : "resume"}`);
    stop.textContent = stopped ? "Hand out again" : "Stop handing out";
  }));
}

// XMLHttpRequest, because it tells how much was sent.
function items(at) {
  $("import").addEventListener("change", () => {
    const [file] = $("import").files;
    if (!file) return;
    const told = $("import-told");
    const media = MEDIA[file.name.split(".").pop().toLowerCase()];
    if (!media) {
      told.textContent = "Items are read from JSON lines (.jsonl), CSV (.csv) and Parquet (.parquet).";
      return;
    }
    const bar = $("import-progress");
    bar.hidden = false;
    const request = new XMLHttpRequest();
    request.open("POST", `${at}/items`);
    request.setRequestHeader("Content-Type", media);
    request.upload.addEventListener("progress", (event) => {
      bar.value = event.loaded / event.total;
      told.textContent = event.loaded < event.total ? `${Math.round((100 * event.loaded) / event.total)} % sent` : "sent; being stored …";
    });
    request.addEventListener("loadend", () => {
      bar.hidden = true;
      $("import").value = "";
      let answer = null;
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // Not even an answer: said below.
      }
      if (request.status === 200) {
        const bad = answer.rejected ? `, ${answer.rejected.toLocaleString("en")} not taken (line ${answer.rejected_lines[0]?.line}: ${answer.rejected_lines[0]?.reason})` : "";
        told.textContent = `${answer.accepted.toLocaleString("en")} new items, ${answer.duplicates.toLocaleString("en")} known${bad}.`;
      } else told.textContent = answer ? words(Object.assign(new Error(answer.detail), answer)) : "The upload broke off. Send the same file again: it goes on where it was.";
    });
    request.send(file);
  });
}
