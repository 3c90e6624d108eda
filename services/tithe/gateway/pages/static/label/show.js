// An item on the page. Everything in it is data: it is only ever set as text.
const text = document.getElementById("text");
const letters = document.getElementById("letters"); // of its own: the annotator draws into the element around it
const fields = document.getElementById("fields");
const picture = document.getElementById("picture");
const PICTURES = ["image", "image_url", "img", "picture", "photo", "thumbnail", "url"];

export function showItem(item, project) {
  const shown = item.text ?? (item.tokens ? item.tokens.join(" ") : null);
  letters.textContent = shown ?? "";
  text.hidden = shown === null;
  showPicture(item);
  showFields(item, shown === null || project.task === "vector_classification");
}

function showPicture(item) {
  const name = PICTURES.find((one) => typeof item.meta?.[one] === "string" && /^(https:\/\/|data:image\/)/.test(item.meta[one]));
  picture.hidden = name === undefined;
  const image = picture.querySelector("img");
  if (name === undefined) image.removeAttribute("src");
  else {
    image.src = item.meta[name];
    image.alt = `Picture of ${item.item_id}`;
    image.referrerPolicy = "no-referrer";
  }
}

function showFields(item, open) {
  const told = Object.entries(item.meta ?? {});
  if (open && !told.length && text.hidden) told.push(["item", item.item_id]);
  fields.replaceChildren();
  fields.hidden = !told.length;
  for (const [name, value] of told) {
    const term = document.createElement("dt");
    term.textContent = name;
    const said = document.createElement("dd");
    said.textContent = typeof value === "string" ? value : JSON.stringify(value);
    fields.append(term, said);
  }
}

// ---- words in doubt: drawn over the text by the browser, which leaves the text itself alone ----

export function showDoubt(item, on) {
  if (!window.Highlight || !CSS.highlights) return;
  CSS.highlights.delete("doubt");
  const node = letters.firstChild;
  if (!on || !node || !item?.why?.doubtful?.length) return;
  const at = units(node.data);
  const ranges = item.why.doubtful.flatMap(({ start, end }) => {
    if (!(start >= 0 && end > start && end <= at.length - 1)) return [];
    const range = new Range();
    range.setStart(node, at[start]);
    range.setEnd(node, at[end]);
    return [range];
  });
  CSS.highlights.set("doubt", new Highlight(...ranges));
}

// Where each code point begins, in the units of this language's strings; one more at the end.
export function units(string) {
  const found = [0];
  for (const point of string) found.push(found[found.length - 1] + point.length);
  return found;
}
