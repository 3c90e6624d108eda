// Answers on their way. Each is written down in the browser before it is sent, with a key of its own: it survives a
// reload, a lost connection and a restarted server, and however often it is sent, it counts once.
import { createStore, del, entries, set } from "../vendor/idb-keyval.js";
import { call, Offline, Refused } from "./api.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

export class Outbox extends EventTarget {
  // `owner`: whose answers, of which project: another user of this browser neither sees nor sends them.
  constructor(owner) {
    super();
    this.owner = owner;
    this.store = createStore(`tithe-outbox-${owner}`, "answers");
    this.waiting = new Map();
    this.wait = FIRST_WAIT;
    this.wake = null;
    window.addEventListener("online", () => this.hurry());
  }

  // What an earlier visit left behind. Where the browser keeps nothing (a private window), answers live in this page only.
  async open() {
    try {
      for (const [key, answer] of await entries(this.store)) this.waiting.set(key, answer);
    } catch {
      this.tell("forgetful");
    }
    this.run();
  }

  get size() {
    return this.waiting.size;
  }

  holds(itemId) {
    return [...this.waiting.values()].some((answer) => answer.label.item_id === itemId);
  }

  // In the order they were given: the key begins with the time.
  add(batch, label) {
    const random = crypto.getRandomValues(new Uint32Array(4));
    const key = `${String(Date.now()).padStart(15, "0")}-${[...random].map((n) => n.toString(16)).join("")}`;
    const answer = { batch, label };
    this.waiting.set(key, answer);
    this.tell("changed");
    set(key, answer, this.store).catch(() => this.tell("forgetful"));
    this.hurry();
  }

  hurry() {
    this.wait = FIRST_WAIT;
    this.wake?.();
  }

  // One page of this browser sends at a time; the others' answers are in the same store and go out with it.
  run() {
    const loop = () => this.sendForever();
    if (navigator.locks) navigator.locks.request(`tithe-outbox-${this.owner}`, loop);
    else loop();
  }

  async sendForever() {
    for (;;) {
      const [key] = [...this.waiting.keys()].sort();
      if (key === undefined) await this.pause(null);
      else await this.send(key, this.waiting.get(key));
    }
  }

  async send(key, answer) {
    try {
      const told = await call("POST", `/v1/batches/${answer.batch}/labels`, { labels: [answer.label] }, {
        "Idempotency-Key": key,
      });
      await this.settle(key);
      this.wait = FIRST_WAIT;
      this.tell("sent", { answer, outcome: told.outcomes[0], requested: told.round_requested });
      this.tell("online");
    } catch (error) {
      if (error instanceof Refused && error.status === 401) {
        this.tell("signed-out");
        await this.pause(LONGEST_WAIT);
      } else if (error instanceof Refused && !error.passing) {
        await this.settle(key);
        this.tell("refused", { answer, error });
      } else {
        this.tell("offline", { error: error instanceof Offline ? null : error });
        await this.pause(Math.max(this.wait, 1000 * (error.retryAfter ?? 0)));
        this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
      }
    }
  }

  async settle(key) {
    this.waiting.delete(key);
    await del(key, this.store).catch(() => {});
    this.tell("changed");
  }

  pause(milliseconds) {
    return new Promise((resolve) => {
      this.wake = resolve;
      if (milliseconds !== null) setTimeout(resolve, milliseconds);
    });
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
