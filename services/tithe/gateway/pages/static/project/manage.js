// What managers do: guidelines, members, rounds, stopping, items.
import { call, words } from "../people/send.js";
import { upload, words as came } from "./upload.js";

const $ = (id) => document.getElementById(id);

export function manage(project, at) {
  guidelines(at);
  members(at);
  running(at);
  items(at);
  trail(at);
}

async function trail(at) {
  const { changes } = await call("GET", `${at}/audit?limit=12`);
  $("trail").replaceChildren();
  for (const one of changes) {
    const row = $("trail").insertRow();
    row.insertCell().textContent = new Date(one.at).toLocaleString();
    row.insertCell().textContent = one.who;
    const details = Object.entries(one.details).map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`);
    row.insertCell().textContent = [one.what.replace(".", " "), ...details].join(", ");
  }
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

function items(at) {
  $("import").addEventListener("change", async () => {
    const [file] = $("import").files;
    if (!file) return;
    const [told, bar] = [$("import-told"), $("import-progress")];
    bar.hidden = false;
    await guarded(told, async () => {
      const answer = await upload(at, file, null, (share) => {
        bar.value = share;
        told.textContent = share < 1 ? `${Math.round(100 * share)} % sent` : "sent; being stored …";
      });
      told.textContent = came(answer);
    });
    bar.hidden = true;
    $("import").value = "";
  });
}
