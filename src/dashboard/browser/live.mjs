// @ts-check
/**
 * The live page's program in the browser, plain JavaScript so that it is served as it lies here. It puts the parts of the
 * page in their places as the run sends them, asks for what the buttons say, and waits for a run that is gone.
 */

/** Milliseconds until a run that is gone is asked for again. */
const RETRY = 2000;

const connection = element('#connection');
const said = element('#said');
const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (
  document.querySelectorAll('button[data-action]')
);

/** What the run has said of itself last; see RunFacts in page.ts. */
let run = { title: document.title, phase: 'preparing', goesOn: false, profiles: false, said: '' };
let connected = false;

for (const button of buttons) button.addEventListener('click', () => void ask(button));
follow();

function follow() {
  const source = new EventSource('events');
  source.addEventListener('open', () => {
    connected = true;
    say('live', 'Live');
  });
  source.addEventListener('part', (event) => {
    const { name, content } = JSON.parse(event.data);
    if (name === 'run') {
      run = JSON.parse(content);
      document.title = run.title;
      if (said.textContent !== run.said) said.textContent = run.said;
      enable();
    } else {
      replace(element(`[data-part="${name}"]`), content);
    }
  });
  source.addEventListener('error', () => {
    connected = false;
    enable();
    if (run.phase === 'finished' || run.phase === 'failed') {
      source.close();
      say('', 'The run has ended.');
      return;
    }
    say('lost', 'Waiting for the run …');
    // a browser asks again by itself, unless it was refused or has given up
    if (source.readyState === EventSource.CLOSED) setTimeout(lookAgain, RETRY);
  });
}

/** Follows the run again, once it is there and knows this browser. */
async function lookAgain() {
  const answer = await fetch('.').catch(() => null);
  if (answer?.ok) return follow();
  if (answer?.status === 403) {
    say('lost', 'The run does not know this browser any more: open the address that it has printed.');
    return;
  }
  setTimeout(lookAgain, RETRY);
}

/** @param {HTMLButtonElement} button */
async function ask(button) {
  const headers = { 'x-tailray-request': document.documentElement.dataset.requestKey ?? '' };
  const answer = await fetch(button.dataset.action ?? '', { method: 'POST', headers }).catch(() => null);
  if (!answer?.ok) said.textContent = 'The run could not be asked: try again when it is live.';
}

function enable() {
  for (const button of buttons) {
    button.disabled = !connected || !run.goesOn || (button.dataset.action === 'profile' && !run.profiles);
  }
}

/**
 * Replaces a part; what a person has unfolded or scrolled stays so.
 * @param {HTMLElement} place
 * @param {string} content
 */
function replace(place, content) {
  const unfolded = [...place.querySelectorAll('details')].map((each) => each.open);
  const scrolled = [...place.querySelectorAll('.scroll')].map((each) => each.scrollLeft);
  const focusable = () =>
    /** @type {(HTMLElement | null)[]} */ ([...place.querySelectorAll('summary, .scroll')]);
  const focused = focusable().indexOf(/** @type {HTMLElement | null} */ (document.activeElement));
  // the run escapes every name and number; scripts in it would be inert, and the page's policy refuses them, too
  place.innerHTML = content;
  place.querySelectorAll('details').forEach((each, i) => {
    each.open = unfolded[i] ?? false;
  });
  place.querySelectorAll('.scroll').forEach((each, i) => {
    each.scrollLeft = scrolled[i] ?? 0;
  });
  if (focused >= 0) focusable()[focused]?.focus({ preventScroll: true });
}

/**
 * @param {string} state
 * @param {string} text
 */
function say(state, text) {
  connection.className = `connection ${state}`;
  if (connection.textContent !== text) connection.textContent = text;
}

/**
 * @param {string} selector
 * @returns {HTMLElement}
 */
function element(selector) {
  const found = document.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`the page has no ${selector}`);
  return found;
}
