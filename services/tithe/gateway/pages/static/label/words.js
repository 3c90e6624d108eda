// Why there is nothing to label, and what comes next.
const WORDS = {
  pool_empty: "There are no items yet. As soon as some are imported, they come here.",
  stopped: "This project is stopped: nothing is handed out. Thank you for your work.",
  budget_spent: "The budget is spent: everything that was to be labeled is. Thank you for your work.",
  budget_reserved: "The last labels of the budget are with other people. Should one be left, it comes here.",
  pool_exhausted: "Every item is labeled. Thank you for your work.",
  all_leased: "All that is left is with other people right now. What they leave comes here.",
  answered_by_you: "You have answered everything you may: what is left waits for other people's opinions.",
};

export function emptyWords(handed, unsent) {
  if (unsent) return `${unsent} answer${unsent === 1 ? " is" : "s are"} on the way …`;
  return WORDS[handed.empty_because] ?? "The next items are on their way …";
}
