// The page's address: `#sort=best&outcome=partial&page=2&open=ID` names the controls that differ from the start.

const KEPT = [
  "words", "run", "sort", "hit", "outcome", "iou-low", "iou-high", "length-low", "length-high", "area-low", "area-high",
  "category", "form", "show", "hover", "many",
];
const FIRST = new Map();

// Set the controls by the address; what it does not name is as at the start, and an unknown value is ignored.
function readAddress() {
  const named = new URLSearchParams((window.location.hash || "").slice(1));
  for (const name of KEPT) {
    const control = document.getElementById(name);
    if (!FIRST.has(name)) FIRST.set(name, control.value);
    const value = named.get(name) ?? FIRST.get(name);
    const isKnown = control.tagName !== "SELECT" || [...control.options].some((option) => option.value === value);
    control.value = isKnown ? value : FIRST.get(name);
  }
  const page = Number.parseInt(named.get("page"), 10);
  return { page: Number.isFinite(page) ? page - 1 : 0, open: named.get("open") };
}

function writeAddress(page, open) {
  const named = new URLSearchParams();
  for (const name of KEPT) {
    const { value } = document.getElementById(name);
    if (value !== FIRST.get(name)) named.set(name, value);
  }
  if (page) named.set("page", String(page + 1));
  if (open) named.set("open", open);
  const text = named.toString();
  // Replaced, not added: the browser's Back leaves the page, whatever was typed.
  window.history.replaceState(null, "", text ? `#${text}` : "#");
}
