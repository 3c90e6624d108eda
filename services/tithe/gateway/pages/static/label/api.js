// Calls to the interface. A refusal is an Error with the server's words; no answer at all is one with `offline`.
export class Refused extends Error {
  constructor(status, told, retryAfter) {
    super(told?.detail ?? `the server answered ${status}`);
    this.status = status;
    this.code = told?.code;
    this.remedy = told?.remedy;
    this.retryAfter = retryAfter;
  }

  // Whether the same call may well be taken later.
  get passing() {
    return this.status >= 500 || this.status === 429 || this.status === 408;
  }

  get words() {
    const sentence = this.message.charAt(0).toUpperCase() + this.message.slice(1);
    return this.remedy ? `${sentence}: ${this.remedy}.` : `${sentence}.`;
  }
}

export class Offline extends Error {}

const PATIENCE = 15_000;

export async function call(method, path, body, headers = {}, keepalive = false) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      credentials: "same-origin",
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      keepalive,
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch {
    throw new Offline("the server cannot be reached");
  }
  let told = null;
  try {
    const text = await answer.text();
    told = text ? JSON.parse(text) : null;
  } catch {
    throw new Offline("the server's answer was cut off");
  }
  if (!answer.ok) throw new Refused(answer.status, told, Number(answer.headers.get("Retry-After")) || null);
  return told;
}
