// A file on its way to a pool. XMLHttpRequest, because it tells how much was sent.
const MEDIA = { jsonl: "application/x-ndjson", ndjson: "application/x-ndjson", csv: "text/csv", parquet: "application/vnd.apache.parquet" };

export const kind = (file) => file.name.split(".").pop().toLowerCase();

export function upload(at, file, query, told) {
  const media = MEDIA[kind(file)];
  if (!media) return Promise.reject(new Error("Items are read from JSON lines (.jsonl), CSV (.csv) and Parquet (.parquet)"));
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${at}/items${query ? `?${new URLSearchParams(query)}` : ""}`);
    request.setRequestHeader("Content-Type", media);
    request.upload.addEventListener("progress", (event) => told(event.loaded / event.total));
    request.addEventListener("loadend", () => {
      let answer = null;
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // Not even an answer: said below.
      }
      if (request.status === 200) resolve(answer);
      else if (answer) reject(Object.assign(new Error(answer.detail), { remedy: answer.remedy }));
      else reject(new Error("The upload broke off: send the same file again, it goes on where it was"));
    });
    request.send(file);
  });
}

export function words(answer) {
  const bad = answer.rejected ? `, ${answer.rejected.toLocaleString("en")} not taken (line ${answer.rejected_lines[0]?.line}: ${answer.rejected_lines[0]?.reason})` : "";
  return `${answer.accepted.toLocaleString("en")} new items, ${answer.duplicates.toLocaleString("en")} known${bad}.`;
}
