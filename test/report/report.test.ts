import { createHash } from 'node:crypto';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { AdapterError } from '../../src/engine/errors.js';
import { examineRun } from '../../src/report/examine-run.js';
import { writeReport } from '../../src/report/report.js';
import { ReportError } from '../../src/report/report-error.js';
import { explainRuns } from '../../src/report/samples/run-maps.js';
import { SavedState } from '../../src/train/run/saved-state.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { NEVER, writeDataset, writeRun } from './made-up-run.js';

const CLASSES = ['Normal', 'effusion', '<script>alert(1)</script>', 'a "b" & c', 'rare', 'rarer', NEVER];
const QUICK = { resamples: 20 };

async function makeRun(options: Partial<Parameters<typeof writeRun>[1]> = {}, test?: number) {
  const folder = await temporaryFolder();
  const data = await writeDataset(join(folder, 'data'), {
    classes: CLASSES,
    ...(test !== undefined && { test }),
  });
  return { data, run: await writeRun(join(folder, 'a-run'), { data, ...options }) };
}

async function report(run: string, options = {}): Promise<string> {
  const { path } = await writeReport([run], { ...QUICK, ...options });
  return readFile(path, 'utf8');
}

describe('the report of a finished run', () => {
  let run = '';
  let page = '';
  let unreadable = '';
  let recorded: Record<'validation' | 'test', Record<string, number>>;

  beforeAll(async () => {
    // not `temporaryFolder`: that one is gone with the first test
    const folder = join(process.env.TMPDIR ?? '/tmp', `tailray-report-${process.pid}`);
    const data = await writeDataset(join(folder, 'data'), { classes: CLASSES });
    const [, row = ''] = (await readFile(join(data, 'test.csv'), 'utf8')).split('\n');
    unreadable = row.split(',')[0] ?? '';
    run = await writeRun(join(folder, 'a-run'), { data, unreadable: [unreadable] });
    page = await report(run);
    recorded = JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'));
    return () => rm(folder, { recursive: true, force: true });
  });

  test('gives the numbers that the run recorded, of test first', () => {
    const tile = (title: string) => text(page).split(`${title} `)[1]?.split(' ')[0];
    expect(tile('Macro mAP, test')).toBe(recorded.test.mAP?.toFixed(3));
    expect(tile('Macro AUROC, test')).toBe(recorded.test.auroc?.toFixed(3));
    expect(text(page)).toContain(`validation ${recorded.validation.mAP?.toFixed(3)}`);
    const ratio = (recorded.test.mAP as number) / (recorded.test.prevalenceGuess as number);
    expect(tile('Times a prevalence guess')).toBe(ratio.toFixed(1));
    expect(text(page)).not.toContain('WARNING: on');
    expect(text(page)).toContain('Peak memory on the adapter 48 MiB');
  });

  test('lists every class from the most to the least common, and names what is left out', async () => {
    const { classes, primary } = await examineRun(run, QUICK);
    const table = page.split('<table class="classes">')[1] ?? '';
    const rows = Array.from(
      table.split('<tfoot>')[0]?.matchAll(/<th scope="row">(.*?)<\/th>/g) ?? [],
      (m) => m[1],
    );
    expect(rows).toEqual(classes.map(({ name }) => escaped(name)));
    const shares = classes.map(({ prevalence }) => prevalence);
    expect(shares).toEqual([...shares].sort((a, b) => b - a));
    const left = primary?.summary.leftOut.map(({ name }) => name) ?? [];
    expect(left).toContain('never');
    expect(text(page)).toMatch(/Left out of the means: [^.]*never[^.]*no positive target on test/);
  });

  test('has every plot, with marks in it', () => {
    for (const caption of [
      'Training loss',
      'Gradient norm before clipping',
      'Learning rate',
      'Validation mAP',
      'Validation AUROC',
      'How common in training',
      'Average precision against a prevalence guess',
      'AUROC',
      'Reliability, the labels of all classes together',
      'effusion',
      'Labelled as well, where the finding of the row was missed',
      'Raised wrongly, where the finding of the row was missed',
      'Time of each epoch, validation included',
    ]) {
      const figure = page.split(`<figcaption>${caption}</figcaption>`)[1]?.split('</figure>')[0] ?? '';
      expect(figure, caption).toMatch(
        /<path class="line|<path class="bar|<rect class="bar|<rect class="cell|<circle/,
      );
      expect(figure, caption).toMatch(/<details class="numbers">.*<tbody><tr>/s);
    }
    // nor does any other plot lack its numbers
    const plots = page.match(/<figure class="plot">.*?<\/figure>/gs) ?? [];
    expect(plots.length).toBeGreaterThan(15);
    expect(plots.filter((plot) => !/<tbody><tr>/.test(plot))).toEqual([]);
    expect(page.match(/<figure>.{200}/s)?.[0]).toBeUndefined();
    const drawings = page.match(/<svg.*?<\/svg>/gs)?.join('') ?? '';
    expect(drawings.match(/.{20}(?:NaN|Infinity|undefined|\[object).{20}/)?.[0]).toBeUndefined();
  });

  test('shows pictures with their labels, unreadable ones by name and reason', () => {
    const pictures = page.match(/ href="data:image\/jpeg;base64,[A-Za-z0-9+/=]+"/g) ?? [];
    expect(pictures.length).toBeGreaterThan(5);
    expect(new Set(pictures).size).toBe(pictures.length);
    expect(text(page)).not.toContain('picture not found');
    expect(text(page)).toContain(` ${unreadable} (test): truncated: the file ends early`);
  });

  test('needs nothing but itself and runs nothing but its own program', () => {
    const [script = '', ...others] = page.match(/(?<=<script type="module">).*?(?=<\/script>)/gs) ?? [];
    expect(others).toEqual([]);
    const digest = createHash('sha256').update(script).digest('base64');
    expect(page.slice(0, 500)).toContain(
      `content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; script-src 'sha256-${digest}'"`,
    );
    const markup = page.replace(script, '');
    expect(
      markup.match(/<script(?! type="module"><)|<link|<iframe|@import|url\(|<[^>]*\son\w+=/i)?.[0],
    ).toBeUndefined();
    expect(markup.match(/(?:src|href)="(?!data:|#).{20}/)?.[0]).toBeUndefined();
    expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacent|document\.write|eval|fetch/);
    expect(text(page)).toContain('<script>alert(1)</script>');
  });

  test('is well formed', () => {
    expect(unbalanced(page)).toEqual([]);
  });

  test('says what it takes to compute it again', () => {
    expect(text(page)).toContain(`npx tailray train --recipe runs/a-run/recipe.yaml --out runs/a-run-again`);
    expect(text(page)).not.toContain('--resume');
    expect(text(page)).toContain('warmupEpochs: 1');
    expect(text(page)).toContain('llvmpipe (made up)');
    expect(text(page)).toContain('tailray 0.0.0-test');
  });

  test('has the same bytes each time', async () => {
    const out = join(run, '..', 'again.html');
    await writeReport([run], { ...QUICK, out });
    expect((await readFile(out, 'utf8')) === page).toBe(true);
  });

  test('does without pictures when told to', async () => {
    const out = join(run, '..', 'without.html');
    await writeReport([run], { ...QUICK, out, pictures: false });
    const without = await readFile(out, 'utf8');
    expect(without.match(/data:image|<script|<dialog/)?.[0]).toBeUndefined();
    expect(without.slice(0, 500)).toContain(`form-action 'none'"`);
  });
});

describe('simulated data', () => {
  test('a data folder that synth wrote gets the banner', async () => {
    const { data, run } = await makeRun();
    expect(text(await report(run))).not.toContain('SIMULATED');
    await writeFile(join(data, 'dataset.json'), JSON.stringify({ generator: 'tailray synth' }, null, 2));
    expect(text(await report(run))).toContain('SIMULATED DATA');
  });
});

describe('what is missing is said', () => {
  test('no test part: validation takes its place, with the reason to doubt it', async () => {
    const { run } = await makeRun({}, 0);
    const page = text(await report(run));
    expect(page).toContain('There is no test part');
    expect(page).toContain('Macro mAP, validation');
    expect(page).toContain('Validation chose the epoch');
  });

  test('a run that was cut off: curves, and where to resume', async () => {
    const { run } = await makeRun();
    for (const name of ['summary.json', 'predictions.csv', 'best.safetensors']) await rm(join(run, name));
    await appendFile(join(run, 'metrics.jsonl'), '{"kind":"step","ste');
    await new SavedState(join(run, 'last')).save(
      {
        progress: { step: 17, epochsClosed: 2, epochLoss: { sum: 1, steps: 5 }, best: null },
        data: 'digest',
        adapter: 'some adapter',
      },
      [],
    );
    const page = text(await report(run));
    expect(page).toContain('summary.json is missing: the run is still going, or was cut off.');
    expect(page).toContain('predictions.csv is missing');
    expect(page).toContain('best.safetensors is missing');
    expect(page).toContain('metrics.jsonl: 1 line(s)');
    expect(page).toContain('No image has been scored yet.');
    expect(page).toContain(`npx tailray train --resume --out runs/a-run`);
    expect(page).toContain('Goes on after step 17.');
    expect(page).toContain('How common in training');
  });

  test('a run that logged nothing', async () => {
    const { run } = await makeRun();
    for (const name of ['summary.json', 'predictions.csv', 'best.safetensors', 'metrics.jsonl']) {
      await rm(join(run, name));
    }
    expect(text(await report(run))).toContain('No step was logged.');
  });

  test('data that are gone: the recorded means without intervals, and how to name the data', async () => {
    const { run, data } = await makeRun();
    const before = JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'));
    await rm(data, { recursive: true });
    const page = text(await report(run));
    expect(page).toContain(`The labels can't be read, so nothing can be measured per class: data: no such`);
    expect(page).toContain(`Macro mAP, test ${before.test.mAP.toFixed(3)} interval needs the labels`);
    expect(page).not.toContain('Ranking and calibration');
  });

  test('data that have moved are found where --data says', async () => {
    const { run, data } = await makeRun();
    const recipe = join(run, 'recipe.yaml');
    await writeFile(recipe, (await readFile(recipe, 'utf8')).replace(data, '/nowhere/at/all'));
    expect(text(await report(run))).toContain('interval needs the labels');
    expect(text(await report(run, { data }))).toMatch(/Macro mAP, test [\d.]+ 95 % interval/);
  });

  test('labels that have changed since', async () => {
    const { run, data } = await makeRun();
    const lines = (await readFile(join(data, 'test.csv'), 'utf8')).trimEnd().split('\n');
    const flipped = lines.map((line, i) => (i === 0 ? line : line.replace(/,(\d)$/, (_, l) => `,${1 - l}`)));
    await writeFile(join(data, 'test.csv'), `${flipped.join('\n')}\n`);
    expect(text(await report(run))).toMatch(
      /WARNING: on test, the data now give a mAP of [\d.]+ where the run/,
    );
    await writeFile(join(data, 'test.csv'), `${lines.filter((_, i) => i !== 1).join('\n')}\n`);
    const page = text(await report(run));
    expect(page).toMatch(
      /test can't be measured: predictions\.csv: 1 of \d+ predicted images, such as \d+\.png, are not in/,
    );
    expect(page).toContain('Macro mAP, validation');
  });

  test('maps that cannot be had, with the reason', async () => {
    const { run } = await makeRun();
    const noAdapter = explainRuns(() => Promise.reject(new AdapterError('there is no adapter here.')));
    expect(text(await report(run, { explain: noAdapter }))).toContain(
      'There are no maps of where the model looked: there is no adapter here.',
    );
    await rm(join(run, 'best.safetensors'));
    expect(text(await report(run, { explain: noAdapter }))).toMatch(
      /There are no maps of where the model looked: best\.safetensors/,
    );
  });

  test('pictures that are gone', async () => {
    const { run, data } = await makeRun();
    await rm(join(data, 'images'), { recursive: true });
    expect(text(await report(run))).toContain('picture not found');
  });

  test('a damaged checkpoint', async () => {
    const { run } = await makeRun();
    await writeFile(join(run, 'best.safetensors'), 'cut short');
    expect(text(await report(run))).toContain('is no safetensors file, or was cut short or changed');
  });

  test('training that diverged', async () => {
    const { run } = await makeRun();
    const line = { kind: 'step', step: 31, epoch: 6, loss: null, gradientNorm: null, learningRate: 0.1 };
    await appendFile(join(run, 'metrics.jsonl'), `${JSON.stringify(line)}\n`);
    expect(text(await report(run))).toContain(
      'Loss or gradient was not finite at step 31: training diverged.',
    );
  });

  test('training that went back to a saved state', async () => {
    const { run } = await makeRun();
    const line = { kind: 'rollback', step: 20, diverged: 31, factor: 0.5 };
    await appendFile(join(run, 'metrics.jsonl'), `${JSON.stringify(line)}\n`);
    expect(text(await report(run))).toContain(
      'Step 31 was not finite: the run went back to step 20, and its learning rate was multiplied by 0.5.',
    );
  });
});

describe('several runs', () => {
  test('are compared with the first on the same images', async () => {
    const { run, data } = await makeRun({ skill: 0.5, overrides: ['loss.name=bce'] });
    const better = await writeRun(join(run, '..', 'better'), {
      data,
      skill: 3,
      overrides: ['loss.name=asl', 'loss.gammaNeg=2'],
    });
    const asl = await writeRun(join(run, '..', 'asl4'), {
      data,
      overrides: ['loss.name=asl', 'loss.gammaNeg=4'],
    });
    const out = join(run, '..', 'comparison.html');
    expect(await writeReport([run, better, asl], { ...QUICK, out })).toMatchObject({ path: out });
    const page = await readFile(out, 'utf8');
    expect(text(page)).toContain('3 runs compared');
    expect(text(page)).toMatch(/better asl \(gammaNeg 2\) 0 [\d.]+/);
    expect(text(page)).toMatch(/asl4 asl \(gammaNeg 4\) 0 [\d.]+/);
    const compared = page.split('<section id="comparison">')[1] ?? '';
    const row = compared.split('>better</a>')[1]?.split('</tr>')[0] ?? '';
    expect(row).toMatch(/<b>\+0\.\d{3}<\/b>/);
    expect(page.match(/<article/g)).toHaveLength(3);
    expect(unbalanced(page)).toEqual([]);
  });

  test('on other images have no difference, and on another part a warning', async () => {
    const { run } = await makeRun();
    const other = await makeRun({ overrides: ['data.splitSeed=1'] }, 0);
    const out = join(run, '..', 'comparison.html');
    await writeReport([run, other.run], { ...QUICK, out });
    const page = text(await readFile(out, 'utf8'));
    expect(page).toContain('not scored on the same part of the split');
    expect(page).not.toMatch(/[+−]0\.\d{3} to/);
  });
});

describe('what is no run', () => {
  const message = (paths: string[]) =>
    writeReport(paths).then(
      () => 'a report',
      (error: unknown) => {
        expect(error).toBeInstanceOf(ReportError);
        return (error as Error).message;
      },
    );

  test('no folder, an empty one, none or one twice', async () => {
    const folder = await temporaryFolder({ 'empty/readme.txt': '', 'half/summary.json': '{}' });
    expect(await message([])).toContain('at least one run');
    expect(await message([join(folder, 'gone')])).toContain('no such folder');
    expect(await message([join(folder, 'empty')])).toContain('holds nothing of a run');
    expect(await message([join(folder, 'half')])).toContain('holds only summary.json');
    expect(await message([folder, folder])).toContain('named twice');
  });

  test.each([
    ['recipe.yaml', 'seed: x', 'recipe.yaml, line 1: seed'],
    ['summary.json', '{"status": "fin', 'summary.json is not valid JSON'],
    ['summary.json', '{"status": "fine"}', 'summary.json is no summary of a run (status'],
    ['predictions.csv', 'ImageID,a\n1.png,x\n', 'predictions.csv, line 2, column "a"'],
    ['metrics.jsonl', 'step,loss\n1,2\n', "metrics.jsonl holds no line of a run's metrics"],
  ])('a %s that holds %j', async (name, content, expected) => {
    const { run } = await makeRun();
    await writeFile(join(run, name), content);
    expect(await message([run])).toContain(expected);
    await expect(readFile(join(run, 'report.html'))).rejects.toThrow('ENOENT');
  });
});

/** What a person reads: without tags, entities resolved, white space as single spaces. */
function text(page: string): string {
  const body = page
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/<script.*?<\/script>/s, '')
    .replace(/<(?:\/?)(?:p|h\d|td|th|tr|li|span|div|dt|dd|pre|section|b|a)\b[^>]*>/g, ' ');
  return body
    .replace(/<[^>]*>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ');
}

function escaped(name: string): string {
  return name
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** Tags that are closed out of order or not at all. */
function unbalanced(page: string): string[] {
  const empty = new Set(['meta', 'img', 'br', 'input', '!doctype']);
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, slash, name = '', rest = ''] of page
    .replace(/<script.*?<\/script>/s, '')
    .matchAll(/<(\/?)([a-z!][a-z0-9]*)([^<>]*)>/gi)) {
    const tag = name.toLowerCase();
    if (empty.has(tag) || rest.endsWith('/')) continue;
    if (slash === '') open.push(tag);
    else if (open.pop() !== tag) wrong.push(tag);
  }
  return [...wrong, ...open];
}
