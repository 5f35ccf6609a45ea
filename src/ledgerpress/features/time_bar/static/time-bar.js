// The slider of the time bar. Without this script, readers use the links and the form.

const bar = document.querySelector(".time-bar-slider");
const slider = bar.querySelector("input");
const output = bar.querySelector("output");

// Positions and times (seconds since 1970) at which the page changed, oldest first.
const marks = bar.dataset.marks
  .split(" ")
  .filter(Boolean)
  .map((mark) => mark.split(":").map(Number));
const started = slider.value;
const initialText = output.textContent;
let mark = null; // the mark that a key selected; null for any other time
let isDragged = false;

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
  const isCurrent = slider.value === slider.max;
  output.textContent = isCurrent ? bar.dataset.now : slider.value === started ? initialText : text(Number(slider.value));
  slider.setAttribute("aria-valuetext", output.textContent);
}

function go() {
  const query = new URLSearchParams();
  if (mark !== null) query.set("asOf", mark);
  else if (slider.value !== slider.max) {
    query.set("asOf", new Date(Number(slider.value) * 1000).toISOString().replace(".000Z", "Z"));
  }
  location.href = `?${query}#time_slider`;
}

// Move to the change before or after the state that is selected; beyond the last change is the current page.
function step(direction) {
  const now = Number(slider.value);
  const state = marks.findLastIndex(([position, time]) => (mark === null ? time <= now : position === mark));
  const next = marks[state + direction];
  if (next) {
    [mark] = next;
    slider.value = next[1];
  } else if (direction > 0) {
    mark = null;
    slider.value = slider.max;
  }
  show();
}

slider.addEventListener("pointerdown", () => {
  isDragged = true;
});
slider.addEventListener("input", () => {
  mark = null;
  show();
});
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
      mark = marks.length ? marks[0][0] : null;
      slider.value = slider.min;
      show();
      break;
    case "End":
      mark = null;
      slider.value = slider.max;
      show();
      break;
    case "Enter":
      go();
      break;
    default:
      return;
  }
  event.preventDefault();
});

bar.hidden = false;
show();
if (location.hash === "#time_slider") slider.focus();
