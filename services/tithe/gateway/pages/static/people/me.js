// One's own page: keys are made, listed and revoked; the session is ended.
import { call, words } from "./send.js";

const problem = document.querySelector("[data-problem]");
const rows = document.getElementById("keys");
const day = (at) => (at ? new Date(at).toLocaleDateString() : "–");

function cell(row, text) {
  const made = row.insertCell();
  made.textContent = text;
  return made;
}

async function guarded(work) {
  problem.textContent = "";
  try {
    await work();
  } catch (error) {
    problem.textContent = words(error);
  }
}

async function list() {
  const { keys } = await call("GET", "/v1/keys");
  rows.replaceChildren();
  for (const key of keys) {
    const row = rows.insertRow();
    cell(row, key.name);
    cell(row, `${key.begins}…`);
    cell(row, day(key.created_at));
    const over = key.revoked_at ? `revoked ${day(key.revoked_at)}` : key.expires_at ? day(key.expires_at) : "it is revoked";
    cell(row, over);
    cell(row, day(key.used_at));
    const last = cell(row, "");
    if (key.revoked_at) continue;
    const button = document.createElement("button");
    button.className = "secondary outline";
    button.textContent = "Revoke";
    button.setAttribute("aria-label", `Revoke ${key.name}`);
    button.addEventListener("click", () => guarded(async () => {
      await call("DELETE", `/v1/keys/${key.id}`);
      await list();
    }));
    last.append(button);
  }
}

document.getElementById("new-key")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const sent = new FormData(event.target);
  guarded(async () => {
    const days = sent.get("days");
    const made = await call("POST", "/v1/keys", { name: sent.get("name"), days: days ? Number(days) : null });
    document.getElementById("made").hidden = false;
    const shown = document.getElementById("made-key");
    shown.value = made.key;
    shown.select();
    await list();
  });
});
document.getElementById("sign-out")?.addEventListener("click", async () => {
  await call("POST", "/sign-out");
  window.location.assign("/sign-in");
});
if (rows) guarded(list);
