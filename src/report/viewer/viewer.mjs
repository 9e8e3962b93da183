// @ts-check
/**
 * The program of the dialog of dialog.ts, which runs in the reader's browser. It copies nodes of the page and never makes
 * markup of text, so that names from other people's files stay text.
 */

/** @typedef {{ width: number, level: number, inverted: boolean, map: boolean, strength: number }} Settings */

/** @type {Readonly<Settings>} */
const FIRST = { width: 100, level: 50, inverted: false, map: true, strength: 100 };

const dialog = document.querySelector('dialog.viewer');
const cases = Array.from(document.querySelectorAll('figure.case')).filter((each) =>
  each.querySelector('button.enlarge'),
);
if (dialog instanceof HTMLDialogElement && cases.length > 0) start(dialog, cases);

/**
 * @param {HTMLDialogElement} viewer
 * @param {Element[]} figures
 */
function start(viewer, figures) {
  /** @type {Settings} */
  let settings = { ...FIRST };
  let current = 0;
  const find = (/** @type {string} */ selector) => {
    const found = viewer.querySelector(selector);
    if (!(found instanceof HTMLElement)) throw new Error(`the dialog has no ${selector}`);
    return found;
  };
  const title = find('#viewer-title');
  const stage = find('.stage');
  const picture = find('.stage-picture');
  const text = find('.viewer-text');
  const place = find('.viewer-place');
  const mapPart = find('[data-part=map]');
  const transfers = Array.from(viewer.querySelectorAll('feComponentTransfer > *'));

  /** Shows one image, with the settings of the one before. */
  function show(/** @type {number} */ index) {
    current = Math.min(figures.length - 1, Math.max(0, index));
    const figure = figures[current];
    const drawing = figure?.querySelector('svg.radiograph');
    if (!figure || !drawing) return;
    title.setAttribute('data-outcome', figure.getAttribute('data-outcome') ?? '');
    title.replaceChildren(...copies(figure.querySelector('.case-title')));
    picture.replaceChildren(drawing.cloneNode(true));
    text.replaceChildren(...copies(figure.querySelector('figcaption')).filter((node) => !isTitle(node)));
    // read aloud as it changes
    const spoken = document.createElement('span');
    spoken.className = 'unseen';
    spoken.textContent = `: ${drawing.getAttribute('aria-label') ?? ''}`;
    place.replaceChildren(`${current + 1} of ${figures.length}`, spoken);
    setDisabled('previous', current === 0);
    setDisabled('next', current === figures.length - 1);
    mapPart.hidden = drawing.querySelector('.map') === null;
    apply();
  }

  /** Brings the settings onto the image and into the controls. */
  function apply() {
    const { width, level, inverted, map, strength } = settings;
    // grey g in 0…1 becomes 0.5 + (g − level) / width, the other way round where inverted
    const slope = (inverted ? -100 : 100) / width;
    for (const transfer of transfers) {
      transfer.setAttribute('slope', String(slope));
      transfer.setAttribute('intercept', String(0.5 - (slope * level) / 100));
    }
    picture.querySelector('.film')?.setAttribute('filter', 'url(#viewer-window)');
    const drawn = picture.querySelector('.map');
    if (drawn instanceof SVGElement) drawn.style.opacity = String(map ? strength / 100 : 0);
    for (const name of /** @type {const} */ (['width', 'level', 'strength'])) {
      const input = find(`[data-set=${name}]`);
      if (input instanceof HTMLInputElement) {
        input.value = String(settings[name]);
        input.setAttribute('aria-valuetext', `${settings[name]} %`);
      }
      find(`output[for=viewer-${name}]`).textContent = `${settings[name]} %`;
    }
    const shown = find('[data-set=map]');
    if (shown instanceof HTMLInputElement) shown.checked = map;
    find('[data-do=invert]').setAttribute('aria-pressed', String(inverted));
  }

  function change(/** @type {Partial<Settings>} */ changed) {
    settings = { ...settings, ...changed };
    settings.width = Math.min(200, Math.max(4, Math.round(settings.width)));
    settings.level = Math.min(100, Math.max(0, Math.round(settings.level)));
    apply();
  }

  function setDisabled(/** @type {string} */ name, /** @type {boolean} */ disabled) {
    const button = find(`[data-do=${name}]`);
    if (!(button instanceof HTMLButtonElement)) return;
    // a disabled button loses the focus, and with it the keyboard
    if (disabled && button === document.activeElement) title.focus();
    button.disabled = disabled;
  }

  /** @type {Record<string, () => void>} */
  const actions = {
    close: () => viewer.close(),
    previous: () => show(current - 1),
    next: () => show(current + 1),
    first: () => show(0),
    last: () => show(figures.length - 1),
    invert: () => change({ inverted: !settings.inverted }),
    reset: () => change(FIRST),
    map: () => change({ map: !settings.map }),
  };
  /** @type {Record<string, string>} */
  const keys = {
    ArrowLeft: 'previous',
    ArrowRight: 'next',
    PageUp: 'previous',
    PageDown: 'next',
    Home: 'first',
    End: 'last',
    o: 'map',
    i: 'invert',
    r: 'reset',
  };

  for (const [index, figure] of figures.entries()) {
    figure.querySelector('button.enlarge')?.addEventListener('click', () => {
      show(index);
      viewer.showModal();
      title.focus();
    });
  }
  viewer.addEventListener('click', (event) => {
    if (event.target === viewer) viewer.close();
    const button = event.target instanceof Element ? event.target.closest('[data-do]') : null;
    actions[button?.getAttribute('data-do') ?? '']?.();
  });
  viewer.addEventListener('input', ({ target }) => {
    if (!(target instanceof HTMLInputElement)) return;
    const name = target.getAttribute('data-set') ?? '';
    change({ [name]: target.type === 'checkbox' ? target.checked : Number(target.value) });
  });
  viewer.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const slides = event.target instanceof HTMLInputElement && event.target.type === 'range';
    // a slider has these keys for itself
    if (slides && /^(Arrow|Page|Home|End)/.test(event.key)) return;
    const action = actions[keys[event.key] ?? keys[event.key.toLowerCase()] ?? ''];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
  viewer.addEventListener('close', () => {
    const button = figures[current]?.querySelector('button.enlarge');
    if (!(button instanceof HTMLElement)) return;
    button.focus();
    button.scrollIntoView({ block: 'nearest' });
  });

  stage.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    const from = { x: event.clientX, y: event.clientY, width: settings.width, level: settings.level };
    const side = Math.max(1, stage.clientWidth);
    const move = (/** @type {PointerEvent} */ { clientX, clientY }) =>
      change({
        width: from.width + (200 * (clientX - from.x)) / side,
        level: from.level + (100 * (clientY - from.y)) / side,
      });
    const end = () => {
      stage.removeEventListener('pointermove', move);
      stage.removeEventListener('pointerup', end);
      stage.removeEventListener('pointercancel', end);
    };
    stage.addEventListener('pointermove', move);
    stage.addEventListener('pointerup', end);
    stage.addEventListener('pointercancel', end);
  });
}

/** Copies of what is inside an element. */
function copies(/** @type {Element | null} */ element) {
  return Array.from(element?.childNodes ?? [], (node) => node.cloneNode(true));
}

function isTitle(/** @type {Node} */ node) {
  return node instanceof Element && node.classList.contains('case-title');
}
