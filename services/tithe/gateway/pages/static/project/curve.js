// The learning curve: what each model scored, with the control arm's interval, beside what random labels would have given.
let chart = null;

export function drawCurve(place, rows, project, history, proof) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const points = history.points.filter((one) => one.score !== null);
  const measured = proof.history.filter((one) => one.measured.quality.score !== null);
  const randoms = proof.history.filter((one) => one.measured.savings.random_score !== null && one.measured.savings.metric === project.metric);
  chart ??= window.echarts.init(place, null, { renderer: "svg" });
  const [ink, good, accent] = [colour("--pico-color"), colour("--tithe-good"), colour("--tithe-accent")];
  const band = (list, low, high, name, fill) => [
    { name, type: "line", stack: name, symbol: "none", lineStyle: { opacity: 0 }, data: list.map((one) => [one.labels, low(one)]), silent: true, tooltip: { show: false } },
    { name, type: "line", stack: name, symbol: "none", lineStyle: { opacity: 0 }, areaStyle: { color: fill, opacity: 0.18 }, data: list.map((one) => [one.labels, high(one) - low(one)]), silent: true, tooltip: { show: false } },
  ];
  chart.setOption({
    aria: { enabled: true },
    animation: false,
    textStyle: { color: ink, fontFamily: getComputedStyle(document.body).fontFamily },
    legend: { data: ["by its own test or folds", "on the control arm", ...(randoms.length ? ["random labels, estimated"] : [])], itemGap: 24, textStyle: { color: ink }, top: 0 },
    grid: { left: 48, right: 16, top: 36, bottom: 44 },
    tooltip: { trigger: "axis", valueFormatter: (value) => (Array.isArray(value) ? value[1] : value)?.toFixed?.(3) ?? "" },
    xAxis: { type: "value", name: "labels", nameLocation: "middle", nameGap: 28, axisLabel: { color: ink }, nameTextStyle: { color: ink }, min: 0 },
    yAxis: { type: "value", name: project.metric.replaceAll("_", " "), axisLabel: { color: ink }, nameTextStyle: { color: ink }, min: 0, max: 1, splitLine: { lineStyle: { opacity: 0.25 } } },
    series: [
      ...band(measured, (one) => one.measured.quality.low, (one) => one.measured.quality.high, "95 %", good),
      { name: "by its own test or folds", type: "line", symbolSize: 5, itemStyle: { color: ink }, lineStyle: { type: "dotted" }, data: points.map((one) => [one.labels, one.score]) },
      { name: "on the control arm", type: "line", symbolSize: 6, itemStyle: { color: good }, data: measured.map((one) => [one.labels, one.measured.quality.score]) },
      { name: "random labels, estimated", type: "line", symbolSize: 5, itemStyle: { color: accent }, lineStyle: { type: "dashed" }, data: randoms.map((one) => [one.labels, one.measured.savings.random_score]) },
    ],
  }, { notMerge: true });
  table(rows, history, measured);
}

function table(rows, history, measured) {
  const by = new Map(measured.map((one) => [one.version, one.measured.quality]));
  rows.replaceChildren();
  for (const one of history.points) {
    const made = rows.insertRow();
    const q = by.get(one.version);
    const cells = [
      one.labels.toLocaleString("en"), one.version, one.score === null ? "–" : one.score.toFixed(3),
      (one.score_from ?? "").replaceAll("_", " "), q ? `${q.score.toFixed(3)} (${q.low.toFixed(3)} to ${q.high.toFixed(3)})` : "",
    ];
    for (const text of cells) made.insertCell().textContent = text;
  }
}

window.addEventListener("resize", () => chart?.resize());
