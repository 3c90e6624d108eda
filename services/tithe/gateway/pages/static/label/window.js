// The items at hand: a window of the queue, leased to this annotator, filled up in the background long before it is empty.
import { call, Offline, Refused } from "./api.js";

const LOOK_AGAIN = 5_000;

export class Window extends EventTarget {
  constructor(project, outbox) {
    super();
    this.project = project;
    this.outbox = outbox;
    this.size = Math.max(6, Math.min(project.batch_size, 50));
    this.batch = null;
    this.items = []; // waiting, best first
    this.taken = new Set(); // given to the page, or answered
    this.asking = false;
    this.again = null;
    this.beating = setInterval(() => this.beat(), Math.max(2_000, (1000 * project.lease_seconds) / 4));
    window.addEventListener("online", () => this.fill());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.fill());
  }

  // The next item, or null: then "arrived" or "empty" tells what comes of it.
  next() {
    const item = this.items.shift() ?? null;
    if (item) this.taken.add(item.item_id);
    if (this.items.length <= this.size / 2) this.fill();
    return item;
  }

  async fill() {
    if (this.asking) return;
    this.asking = true;
    clearTimeout(this.again);
    try {
      this.keep(await this.ask());
    } catch (error) {
      if (error instanceof Offline || error.passing) this.later((error.retryAfter ?? 0) * 1000 || LOOK_AGAIN);
      this.tell("failed", error);
    } finally {
      this.asking = false;
    }
  }

  async ask() {
    if (this.batch) {
      try {
        return await call("POST", `/v1/batches/${this.batch}/more`, { size: this.size + this.outbox.size });
      } catch (error) {
        // It lapsed, was closed or taken back: what was answered meanwhile is sent all the same.
        if (!(error instanceof Refused) || ![404, 409].includes(error.status)) throw error;
        this.batch = null;
        this.items = [];
      }
    }
    return call("POST", `/v1/projects/${this.project.id}/batches`, { size: this.size });
  }

  keep(handed) {
    if (handed.batch_id) this.batch = handed.batch_id;
    const known = new Set(this.items.map((item) => item.item_id));
    const fresh = handed.items.filter(
      (item) => !known.has(item.item_id) && !this.taken.has(item.item_id) && !this.outbox.holds(item.item_id),
    );
    for (const item of fresh) this.items.push({ ...item, batch: handed.batch_id, ranking: handed.ranking });
    this.tell("online");
    if (fresh.length) this.tell("arrived");
    else if (!this.items.length) {
      this.tell("empty", handed);
      // What is answered and not sent yet still stands in the batch: once it is, there may be more.
      const patience = handed.retry_after_seconds ?? (handed.empty_because ? null : 1);
      if (patience !== null) this.later(1000 * patience);
    }
  }

  later(milliseconds) {
    clearTimeout(this.again);
    this.again = setTimeout(() => this.fill(), milliseconds);
  }

  async beat() {
    if (!this.batch || document.visibilityState !== "visible") return;
    try {
      await call("POST", `/v1/batches/${this.batch}/heartbeat`);
    } catch (error) {
      if (error instanceof Refused && [404, 409].includes(error.status)) this.fill();
    }
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
