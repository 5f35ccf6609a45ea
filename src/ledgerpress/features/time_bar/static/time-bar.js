// The slider of the time bar, and what it shows until the reader goes to another time. Without this script, readers use
// the links and the form.

const bar = document.querySelector(".time-bar-slider");
const slider = bar.querySelector("input");
const output = bar.querySelector("output");
const form = document.querySelector(".time-bar form");

// Positions and times (seconds since 1970) at which the page changed, oldest first.
const marks = bar.dataset.marks
  .split(" ")
  .filter(Boolean)
  .map((mark) => mark.split(":").map(Number));
const position = Number(bar.dataset.position); // of the page
const ownText = output.textContent;
let isChanged = false; // whether a reader selected another time than that of the page
let mark = null; // the position of the mark that a key selected; null for any other time
let isDragged = false;
let isPressedInForm = false;

function formatter(options) {
  try {
    return new Intl.DateTimeFormat(bar.dataset.locale, { ...options, timeZone: bar.dataset.zone });
  } catch {
    return new Intl.DateTimeFormat(bar.dataset.locale, { ...options, timeZone: "UTC" }); // a zone that the browser does not know
  }
}

const dayFormat = formatter({ day: "numeric", month: "long", year: "numeric" });
const timeFormat = formatter({ hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" });

function text(seconds) {
  const parts = timeFormat.formatToParts(seconds * 1000).map(({ type, value }) => [type, value]);
  const { hour, minute, timeZoneName } = Object.fromEntries(parts);
  const values = { day: dayFormat.format(seconds * 1000), time: `${hour}:${minute}`, zone: timeZoneName };
  return bar.dataset.pattern.replace(/\{(day|time|zone)\}/g, (_, name) => values[name]);
}

function show() {
  if (!isChanged) output.textContent = ownText;
  else output.textContent = slider.value === slider.max ? bar.dataset.now : text(Number(slider.value));
  slider.setAttribute("aria-valuetext", output.textContent);
}

function select(value, ofMark = null) {
  isChanged = true;
  mark = ofMark;
  slider.value = value;
  show();
}

// Show the moment of the page again: a time that the page does not have must not stay.
function resetSlider() {
  isChanged = isDragged = false;
  mark = null;
  slider.value = slider.defaultValue;
  show();
}

function resetForm() {
  isPressedInForm = false;
  form.reset();
}

function go() {
  if (!isChanged) return;
  const query = new URLSearchParams(location.search);
  query.delete("asOf");
  if (mark !== null) query.set("asOf", mark);
  else if (slider.value !== slider.max) {
    query.set("asOf", new Date(Number(slider.value) * 1000).toISOString().replace(".000Z", "Z"));
  }
  location.href = `?${query}#time_slider`;
}

// Move to the change before or after the state that is selected; beyond the last change is the current page.
function step(direction) {
  const now = Number(slider.value);
  const state = marks.findLastIndex(([at, time]) => {
    if (!isChanged) return at <= position;
    return mark === null ? time <= now : at === mark;
  });
  const next = marks[state + direction];
  if (next) select(next[1], next[0]);
  else if (direction > 0) select(slider.max);
}

slider.addEventListener("pointerdown", () => {
  isDragged = true;
});
slider.addEventListener("input", () => select(slider.value));
slider.addEventListener("change", () => {
  if (isDragged) go();
  isDragged = false;
});
slider.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const forward = getComputedStyle(slider).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
  switch (event.key) {
    case "ArrowLeft":
    case "ArrowRight":
      step(event.key === forward ? 1 : -1);
      break;
    case "ArrowUp":
      step(1);
      break;
    case "ArrowDown":
      step(-1);
      break;
    case "Home":
      if (marks.length) select(marks[0][1], marks[0][0]);
      else select(slider.min);
      break;
    case "End":
      select(slider.max);
      break;
    case "Enter":
      go();
      break;
    case "Escape":
      resetSlider();
      break;
    default:
      return;
  }
  event.preventDefault();
});
slider.addEventListener("blur", () => {
  if (document.activeElement !== slider) resetSlider(); // otherwise, another window has the focus
});

form.addEventListener("keydown", (event) => {
  if (event.key === "Escape") resetForm();
});
// A button that is pressed need not get the focus.
form.addEventListener("pointerdown", () => {
  isPressedInForm = true;
});
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(end, () => {
    isPressedInForm = false;
  });
}
form.addEventListener("focusout", (event) => {
  const isInside = isPressedInForm || form.contains(event.relatedTarget) || form.contains(document.activeElement);
  if (!isInside) resetForm();
});

// After Back, a browser shows the page as the reader left it, or fills in what was in its fields.
addEventListener("pageshow", (event) => {
  if (event.persisted || !isChanged) resetSlider();
  if (event.persisted || !form.contains(document.activeElement)) resetForm();
});

bar.hidden = false;
resetSlider();
if (location.hash === "#time_slider") slider.focus();
