"use strict";
// Sends films to the service, one request each, and shows its answers. What a film is called, and why, is decided by the
// service alone: when another operating point is chosen, films are sent again.

const AT_A_TIME = 4; // requests, so that the service can batch them
const MOST_PICTURES = 100; // films that are shown at once; a browser keeps their pictures in memory
const MOST_TRIES = 30;
const SIGNS = { NORMAL: "\u2713", PNEUMONIA: "!", NEEDS_REVIEW: "?", error: "\u00d7" };
const WORDS = { NORMAL: "Normal", PNEUMONIA: "Pneumonia", NEEDS_REVIEW: "Needs review", error: "Could not be read" };
const COUNTED = { NORMAL: "normal", PNEUMONIA: "pneumonia", NEEDS_REVIEW: "for review", error: "not readable" };
const COLUMNS = [
  ["film", (film) => film.name],
  ["outcome", (film) => (film.record ? WORDS[outcomeOf(film.record)] : "")],
  ["reason", (film) => film.record?.reason ?? ""],
  ["label", (film) => film.record?.label ?? ""],
  ["probability", (film) => film.record?.probability ?? null],
  ["threshold", (film) => film.record?.threshold ?? null],
  ["domain distance", (film) => film.record?.domain_distance ?? null],
];

const $ = (id) => document.getElementById(id);
const films = [];
const waiting = [];
let model = null;
let token = "";
let running = 0;
let total = 0; // films sent since the last pause, for the progress bar
let sorted = { column: -1, descending: false };

const outcomeOf = (record) => record.outcome ?? "error";
const shown = (number, digits = 3) => (number === null ? "" : number.toFixed(digits));
// No probability is called 0 or 1 because of rounding.
const shownProbability = (number) =>
  number === null ? "" : number > 0.9995 ? "> 0.999" : number < 0.0005 ? "< 0.001" : shown(number);

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Talking to the service

async function ask(address, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  for (let tries = 1; ; tries++) {
    const answer = await fetch(address, { ...options, headers });
    if (answer.ok) return answer;
    if (answer.status === 503 && tries < MOST_TRIES) {
      const seconds = Number(answer.headers.get("Retry-After")) || 1;
      await new Promise((done) => setTimeout(done, 1000 * seconds * (0.5 + Math.random())));
      continue;
    }
    const said = await answer.json().catch(() => ({ error: `the service answered with status ${answer.status}` }));
    throw Object.assign(new Error(said.error), { status: answer.status });
  }
}

async function openModel() {
  try {
    model = await (await ask("v1/model")).json();
  } catch (error) {
    if (error.status === 401) return needToken();
    $("model").textContent = `No model: ${error.message}`;
    return;
  }
  $("token-form").hidden = true;
  $("model").textContent = `${model.model} on ${model.device}`;
  const points = Object.entries(model["operating points"]).sort((a, b) => a[1].threshold - b[1].threshold);
  $("point").replaceChildren(
    ...points.map(([name, point]) => new Option(`${name} (${shown(point.threshold)})`, name, false, name === model["operating point"])),
  );
  if (model["operating point"] === null) {
    $("point").prepend(new Option(`as started (${shown(model.threshold)})`, String(model.threshold), true, true));
  }
  $("point").disabled = false;
  describePoint();
  work();
}

function needToken() {
  $("model").textContent = "Waiting for a token";
  $("token-error").textContent = token ? "This token is not accepted." : "";
  $("token-form").hidden = false;
  $("token").focus();
  model = null;
}

function describePoint() {
  const point = model["operating points"][$("point").value];
  const percent = (share) => `${(100 * share).toFixed(0)} %`;
  $("point-text").textContent = point
    ? `finds ${percent(point.sensitivity)} of the pneumonias and clears ${percent(point.specificity)} of the normal films, measured on ${point.chosen_on}`
    : "";
}

// The queue

function add(files) {
  for (const file of files) {
    const film = { name: file.name, file, number: films.length + 1, record: null, failure: "", sent: 0 };
    films.push(film);
    addCard(film);
    send(film);
  }
  $("results").hidden = films.length === 0;
  drawRows();
}

function send(film) {
  film.sent++;
  waiting.push({ film, turn: film.sent });
  total++;
  work();
}

function work() {
  while (model && running < AT_A_TIME && waiting.length) {
    running++;
    read(waiting.shift()).finally(() => {
      running--;
      report();
      work();
    });
  }
  report();
}

async function read(job) {
  const { film } = job;
  if (job.turn !== film.sent) return; // has been sent again since, or removed
  const wantsPictures = !film.hasPictures && (film.wanted || film.number <= MOST_PICTURES);
  const form = new FormData();
  form.append("film", film.file, film.name);
  try {
    const point = encodeURIComponent($("point").value);
    const answer = await ask(`v1/predictions?threshold=${point}&pictures=${wantsPictures}`, { method: "POST", body: form });
    const [record] = await answer.json();
    if (job.turn !== film.sent) return;
    const { pictures, ...fields } = record;
    Object.assign(film, { record: fields, failure: "" });
    if (pictures) showPictures(film, pictures);
  } catch (error) {
    if (error.status === 401) {
      waiting.unshift(job);
      return needToken();
    }
    film.failure = error instanceof TypeError ? "It could not be sent: is the service running?" : error.message;
  }
  fillCard(film);
  drawRows();
}

function report() {
  const left = waiting.length + running;
  $("progress").hidden = left === 0;
  $("progress").max = Math.max(total, 1);
  $("progress").value = total - left;
  if (left) {
    $("status").textContent = `${total - left} of ${total} films read`;
    return;
  }
  total = 0;
  const counts = {};
  for (const film of films) {
    const outcome = film.failure ? "error" : outcomeOf(film.record);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  const parts = Object.entries(counts).map(([outcome, count]) => `${count} ${COUNTED[outcome]}`);
  const all = films.length === 1 ? "1 film" : `${films.length} films`;
  $("status").textContent = films.length ? `${all} done: ${parts.join(", ")}.` : "";
}

// Cards

function addCard(film) {
  film.card = $("card").content.firstElementChild.cloneNode(true);
  film.card.id = `film-${film.number}`;
  film.card.querySelector("h3").textContent = film.name;
  film.card.classList.add("reading");
  film.card.querySelector(".word").textContent = "Reading";
  const slider = film.card.querySelector("input");
  slider.addEventListener("input", () => setOpacity(film.card, slider.value));
  film.card.querySelector(".show").addEventListener("click", () => {
    film.wanted = true;
    send(film);
  });
  $("cards").append(film.card);
}

function setOpacity(card, percent) {
  card.querySelector(".evidence").style.opacity = percent / 100;
  card.querySelector(".percent").textContent = `${percent} %`;
}

function showPictures(film, pictures) {
  const { card } = film;
  film.hasPictures = true;
  card.querySelector(".film").style.aspectRatio = `${pictures.width} / ${pictures.height}`;
  card.querySelector(".picture").src = pictures.film;
  card.querySelector(".picture").alt = `Film ${film.name}`;
  card.querySelector(".evidence").src = pictures.evidence;
  card.querySelector("input").value = 100 * pictures.opacity;
  setOpacity(card, 100 * pictures.opacity);
  card.querySelector("figure").hidden = false;
}

function fillCard(film) {
  const { card, record } = film;
  const outcome = film.failure ? "error" : outcomeOf(record);
  const answered = outcome !== "error";
  card.className = `card ${outcome} reason-${record?.reason}`;
  card.querySelector(".sign").textContent = SIGNS[outcome];
  card.querySelector(".word").textContent = WORDS[outcome];
  card.querySelector(".why").textContent = film.failure || (answered ? reasonOf(record) : record.error);
  for (const part of [".number", ".scale", ".legend", ".not"]) card.querySelector(part).hidden = !answered;
  card.querySelector(".show").hidden = !answered || Boolean(film.hasPictures);
  if (answered) {
    card.querySelector(".value").textContent = shownProbability(record.probability);
    drawScale(card, record);
  }
}

function reasonOf(record) {
  const point = record.operating_point ? ` (${record.operating_point})` : "";
  const side = record.probability >= record.threshold ? "at or above" : "below";
  const compared = `The probability is ${side} the threshold of ${shown(record.threshold)}${point}.`;
  const reasons = {
    uncertain: `The probability lies in the uncertain band, where the model is often wrong. A qualified reader must decide. ${compared}`,
    out_of_domain: `The film does not resemble the films that the model knows (domain distance ${shown(record.domain_distance, 1)}, limit ${shown(model["domain limit"], 1)}). Its probability means nothing.`,
    header: "The header of the film says that it is not what the model was made for, such as a lateral view or an adult. Its probability means nothing.",
  };
  return record.reason ? (reasons[record.reason] ?? `A qualified reader must decide: ${record.reason}.`) : compared;
}

function drawScale(card, record) {
  const place = (node, share) => (node.style.left = `${100 * share}%`);
  const points = Object.entries(model["operating points"]).map(([name, point]) => [name, point.threshold]);
  if (!record.operating_point) points.push(["chosen", record.threshold]);
  points.sort((a, b) => a[1] - b[1]);
  const band = model["uncertain band"];
  const said = [`Probability of pneumonia ${shownProbability(record.probability)} on a scale from 0 to 1`];
  const legend = [];
  const ticks = points.map(([name, threshold]) => {
    const isChosen = name === (record.operating_point ?? "chosen");
    const tick = element("div", "", isChosen ? "tick chosen" : "tick");
    place(tick, threshold);
    const item = element("li", "", isChosen ? "now" : "");
    item.append(element("span", "", `${tick.className} key`), `${name} ${shown(threshold)}${isChosen ? ", in use" : ""}`);
    legend.push(item);
    said.push(`${name} threshold ${shown(threshold)}${isChosen ? ", in use" : ""}`);
    return tick;
  });
  card.querySelector(".band").hidden = !band;
  if (band) {
    place(card.querySelector(".band"), band[0]);
    card.querySelector(".band").style.width = `${100 * (band[1] - band[0])}%`;
    const item = element("li");
    item.append(element("span", "", "band key"), `uncertain ${shown(band[0])} to ${shown(band[1])}`);
    legend.push(item);
    said.push(`uncertain from ${shown(band[0])} to ${shown(band[1])}`);
  }
  card.querySelector(".ticks").replaceChildren(...ticks);
  place(card.querySelector(".mark"), record.probability);
  card.querySelector(".legend").replaceChildren(...legend);
  card.querySelector(".scale").setAttribute("aria-label", said.join("; "));
}

// The table

function drawColumns() {
  $("columns").replaceChildren(
    ...COLUMNS.map(([name], column) => {
      const head = element("th");
      head.scope = "col";
      const button = element("button", name);
      button.type = "button";
      button.addEventListener("click", () => {
        sorted = { column, descending: sorted.column === column && !sorted.descending };
        for (const other of $("columns").children) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", sorted.descending ? "descending" : "ascending");
        drawRows();
      });
      head.append(button);
      return head;
    }),
  );
}

function compare(one, other) {
  if (one === other) return 0;
  if (one === null || other === null) return one === null ? 1 : -1; // what is missing comes last
  const order = typeof one === "number" ? one - other : one.localeCompare(other, undefined, { numeric: true });
  return sorted.descending ? -order : order;
}

let drawing = false;
function drawRows() {
  if (drawing) return;
  drawing = true; // once a frame, however many answers arrive
  requestAnimationFrame(() => {
    drawing = false;
    const order = sorted.column < 0 ? films : films.toSorted((a, b) => compare(...[a, b].map(COLUMNS[sorted.column][1])));
    $("rows").replaceChildren(...order.map(row));
  });
}

function row(film) {
  const outcome = film.failure ? "error" : film.record ? outcomeOf(film.record) : "";
  const made = element("tr", "", outcome);
  for (const [name, valueOf] of COLUMNS) {
    const cell = element(name === "film" ? "th" : "td");
    const value = valueOf(film);
    if (name === "film") {
      cell.scope = "row";
      const link = element("a", film.name);
      link.href = `#film-${film.number}`;
      cell.append(link);
    } else if (name === "outcome" && outcome) {
      const pill = element("span", "", "pill");
      const sign = element("span", SIGNS[outcome], "sign");
      sign.setAttribute("aria-hidden", "true");
      pill.append(sign, WORDS[outcome]);
      cell.append(pill);
    } else if (typeof value === "number") {
      cell.className = "figure";
      cell.textContent = name === "probability" ? shownProbability(value) : shown(value, name === "domain distance" ? 1 : 3);
    } else {
      cell.textContent = value ?? "";
    }
    made.append(cell);
  }
  return made;
}

// CSV, as pneumo-infer writes it: quoted by RFC 4180, and no cell that a spreadsheet would run as a formula.

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "True" : "False";
  let text = String(value);
  if (typeof value === "string" && text.length > 1 && /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20']/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function downloadCsv() {
  const records = films.map((film) => film.record ?? { path: film.name, error: film.failure });
  const fields = Object.keys(records.find((record) => "outcome" in record) ?? records[0]);
  const lines = [fields, ...records.map((record) => fields.map((field) => record[field]))];
  const text = lines.map((line) => `${line.map(cell).join(",")}\n`).join("");
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "films.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function clear() {
  waiting.length = 0;
  for (const film of films) film.sent = -1;
  films.length = 0;
  $("cards").replaceChildren();
  $("results").hidden = true;
  report();
  $("files").focus();
}

// What people do

$("files").addEventListener("change", () => {
  add($("files").files);
  $("files").value = ""; // so that the same film can be chosen again
});
for (const event of ["dragenter", "dragover", "dragleave", "drop"]) {
  addEventListener(event, (dragged) => {
    dragged.preventDefault(); // anywhere: else the browser would open a film that missed the field
    $("drop").classList.toggle("over", event === "dragenter" || event === "dragover");
    if (event === "drop") add(dragged.dataTransfer.files);
  });
}
$("samples").addEventListener("click", async () => {
  const names = ["normal.png", "pneumonia.png"];
  const blobs = await Promise.all(names.map(async (name) => (await ask(`samples/${name}`)).blob()));
  add(blobs.map((blob, index) => new File([blob], names[index])));
});
$("point").addEventListener("change", () => {
  describePoint();
  for (const film of films) send(film);
});
$("token-form").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  token = $("token").value.trim();
  openModel();
});
$("csv").addEventListener("click", downloadCsv);
$("clear").addEventListener("click", clear);
drawColumns();
openModel();
