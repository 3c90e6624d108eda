// Forms that are sent as JSON: what comes back wrong is shown at the form, in the server's words.
export async function call(method, path, body) {
  const answer = await fetch(path, {
    method,
    credentials: "same-origin",
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  const told = text ? JSON.parse(text) : null;
  if (!answer.ok) {
    const error = new Error(told?.detail ?? `the server answered ${answer.status}`);
    error.remedy = told?.remedy;
    error.status = answer.status;
    throw error;
  }
  return told;
}

export function words(error) {
  if (error instanceof TypeError) return "The server cannot be reached. Try again in a moment.";
  const sentence = error.message.charAt(0).toUpperCase() + error.message.slice(1);
  return error.remedy ? `${sentence}: ${error.remedy}.` : `${sentence}.`;
}

for (const form of document.querySelectorAll("form[data-send]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = form.querySelector("[data-problem]");
    const button = form.querySelector("button[type=submit]");
    problem.textContent = "";
    button.setAttribute("aria-busy", "true");
    try {
      await call("POST", form.dataset.send, Object.fromEntries(new FormData(form)));
      window.location.assign(form.dataset.onward);
    } catch (error) {
      problem.textContent = words(error);
      form.querySelector("input[type=password]")?.select();
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}
