// Accounts: added, invited again, given another role, locked out and let in.
import { call, words } from "./send.js";

const problem = document.querySelector("[data-problem]");
const rows = document.getElementById("users");
const more = document.getElementById("more");
const ROLES = ["annotator", "reviewer", "manager", "admin"];

async function guarded(work) {
  problem.textContent = "";
  try {
    await work();
  } catch (error) {
    problem.textContent = words(error);
  }
}

function button(text, label, work) {
  const made = document.createElement("button");
  made.className = "secondary outline";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", () => guarded(work));
  return made;
}

function showInvitation(name, link) {
  document.getElementById("invited").hidden = false;
  document.getElementById("invited-who").textContent = `${name} is invited.`;
  const shown = document.getElementById("invited-link");
  shown.value = new URL(link, window.location.origin).href;
  shown.select();
}

function draw(user) {
  const path = `/v1/users/${encodeURIComponent(user.name)}`;
  const row = rows.insertRow();
  row.insertCell().textContent = user.name;
  const role = document.createElement("select");
  role.setAttribute("aria-label", `Role of ${user.name}`);
  for (const one of ROLES) role.add(new Option(one, one, false, one === user.role));
  role.addEventListener("change", () => guarded(async () => {
    try {
      await call("PATCH", path, { role: role.value });
    } finally {
      await list();
    }
  }));
  row.insertCell().append(role);
  row.insertCell().textContent = user.projects;
  row.insertCell().textContent = user.seen_at ? new Date(user.seen_at).toLocaleString() : "–";
  row.insertCell().textContent = user.disabled_at ? "locked out" : user.has_password ? "in" : "invited";
  const actions = row.insertCell();
  if (user.disabled_at) {
    actions.append(button("Let in", `Let ${user.name} in again`, async () => {
      await call("PATCH", path, { disabled: false });
      await list();
    }));
    return;
  }
  actions.append(button("Invite", `Invite ${user.name} again`, async () => {
    showInvitation(user.name, (await call("POST", `${path}/invitation`)).link);
  }), " ", button("Lock out", `Lock ${user.name} out`, async () => {
    await call("PATCH", path, { disabled: true });
    await list();
  }));
}

async function list(after = "") {
  if (!after) rows.replaceChildren();
  const page = await call("GET", `/v1/users?after=${encodeURIComponent(after)}`);
  page.users.forEach(draw);
  more.hidden = page.next === null;
  more.onclick = () => guarded(() => list(page.next));
}

document.getElementById("new-user").addEventListener("submit", (event) => {
  event.preventDefault();
  const sent = Object.fromEntries(new FormData(event.target));
  guarded(async () => {
    const made = await call("POST", "/v1/users", sent);
    showInvitation(made.user.name, made.link);
    event.target.reset();
    await list();
  });
});
guarded(list);
