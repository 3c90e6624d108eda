// What was done today in this browser, and how fast: kept by day, so that a reload changes nothing.
const HOUR = 3_600_000;
const RECENT = 600_000;

export class Tally {
  constructor(project, place) {
    this.name = `tithe-tally-${project.id}-${project.annotator}`;
    this.place = place;
    this.times = [];
    this.draw();
    setInterval(() => this.draw(), 30_000);
  }

  today() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.name) ?? "null");
      if (kept?.day === new Date().toDateString()) return kept.count;
    } catch {
      // A count is not worth a complaint.
    }
    return 0;
  }

  count(again) {
    if (again) return;
    this.times.push(Date.now());
    localStorage.setItem(this.name, JSON.stringify({ day: new Date().toDateString(), count: this.today() + 1 }));
    this.draw();
  }

  draw() {
    const now = Date.now();
    this.times = this.times.filter((at) => at > now - RECENT);
    const count = this.today();
    const since = this.times.length > 4 ? now - this.times[0] : 0;
    const pace = since > 20_000 ? ` · ${Math.round((this.times.length * HOUR) / since)} an hour` : "";
    this.place.textContent = `${count} today${pace}`;
  }
}
