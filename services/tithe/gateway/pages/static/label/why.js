// Why an item was chosen, in words. Nothing here tells a drawn item from a chosen one: the server says the same of both.
const place = document.getElementById("why-words");
const PLAIN = {
  entropy: "the model is torn between several classes",
  margin: "the model is torn between two classes",
  least_confident: "the model is little sure of its best guess",
  falcun: "the model is unsure, and it differs from the others in this round",
  badge: "the model would learn much from it, and it differs from the others in this round",
  variance_reduction: "a label here makes the model surer of many others",
  core_set: "it is unlike everything labeled so far",
  k_center_greedy: "it is unlike everything labeled so far",
  typical_in_stages: "it is typical of a part of the pool that has few labels yet",
  uncertain_centers: "the model is unsure about it and about others like it",
  max_herding: "it stands for many others that have no labels yet",
  typical: "it is typical of a part of the pool that has few labels yet",
  typiclust: "it is typical of a part of the pool that has no labels yet",
  probcover: "it is typical of a part of the pool that has no labels yet",
  token_entropy_top: "the model is unsure about some of its words",
  mnlp: "the model is unsure about some of its words",
  vote_entropy: "a committee of models disagrees about it",
  consensus_entropy: "a committee of models disagrees about it",
  random: "it was drawn at random",
  search: "somebody asked for it",
};

export function showWhy(item) {
  place.replaceChildren();
  const said = [];
  const known = PLAIN[item.chosen_by];
  said.push(known ? `It was asked for because ${known}.` : `It was chosen by the strategy “${item.chosen_by.replaceAll("_", " ")}”.`);
  if (item.why?.because === "queue_empty") said.splice(0, 1, "People are faster than the model: it was drawn at random.");
  const guess = item.prediction;
  if (guess?.probabilities) {
    const top = Object.entries(guess.probabilities).sort((a, b) => b[1] - a[1]).slice(0, 3).map(([name, p]) => `${name} ${Math.round(100 * p)} %`);
    said.push(`The model says: ${top.join(", ")}.`);
  }
  if (item.ranking?.round !== null && item.ranking?.round !== undefined) {
    const since = item.ranking.labels_since;
    said.push(`Ranked in round ${item.ranking.round}${since ? `, ${since} label${since === 1 ? "" : "s"} ago` : ""}.`);
  }
  for (const words of said) {
    const line = document.createElement("p");
    line.textContent = words;
    place.append(line);
  }
}
