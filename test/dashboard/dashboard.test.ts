import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { Dashboard } from '../../src/dashboard/dashboard.js';
import type { Recipe } from '../../src/recipe/recipe-schema.js';
import { RunDirectory } from '../../src/train/run/run-directory.js';
import type { RunListener } from '../../src/train/run/run-event.js';
import type { SessionOptions } from '../../src/train/run/session.js';
import { examineTrainingData, type TrainingData } from '../../src/train/run/training-data.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';
import { tinyRecipe, writeTinyDataset } from '../train/run/tiny-run.js';
import { bytesOf, train } from '../train/run/tiny-training.js';
import { ask, open, Stream } from './asking.js';

/** The live page of real runs, by plain HTTP. */

const SCRIPT = "<script>document.title='owned'</script>";

let folder: string;
let data: TrainingData;
const SHORT = tinyRecipe('schedule.epochs=6', 'checkpoint.every=100', 'logEvery=5');
/** The same run without a page. */
let whole: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-dashboard-'));
  data = await examineTrainingData(await writeTinyDataset(folder, 24, [SCRIPT, 'striped']), tinyRecipe());
  whole = await bytesOf((await train(SHORT, { data, run: new RunDirectory(join(folder, 'whole')) })).run);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Live {
  readonly run: RunDirectory;
  readonly recipe?: Recipe;
  readonly resume?: boolean;
  readonly stop?: () => void;
}

async function live({ run, recipe = SHORT, resume = false, stop = () => {} }: Live) {
  const dashboard = await Dashboard.open({
    run,
    recipe,
    resume,
    port: resume ? undefined : 0,
    stop,
    say: () => {},
  });
  onTestFinished(() => dashboard.end('stopped', 'the test is over'));
  dashboard.uses(await testDevice());
  const start = (options: Partial<SessionOptions> = {}, beside: RunListener = () => {}) =>
    train(recipe, {
      data,
      run,
      resume,
      requests: dashboard.requests,
      listen: async (event) => {
        await dashboard.hear(event);
        await beside(event);
      },
      ...options,
    });
  return { dashboard, start };
}

const freshRun = async (name = 'run') => new RunDirectory(join(await temporaryFolder(), name));

test('a page that is watched tells of the run, and leaves its bytes as they are', async () => {
  const run = await freshRun();
  const { dashboard, start } = await live({ run });
  const known = await open(dashboard.address);
  const streams = await Promise.all([1, 2, 3].map(() => Stream.open(known)));
  const { readable } = data.validation!;
  const labelled = Array.from({ length: readable.length }, (_, i) => [...readable.labels(i)]).filter(
    (labels) => labels.includes(1),
  ).length;
  const pictures: string[] = [];
  const { summary } = await start({}, async (event) => {
    if (event.kind !== 'validated' || event.epoch > 1) return;
    for (const name of ['1-0', `1-${labelled - 1}`, `1-${labelled}`, '1-99', '2-0']) {
      const address = `${known.page}images/${name}.png`;
      const { status, headers, body } = await ask(address, { headers: { cookie: known.cookie } });
      pictures.push(status === 200 ? `${headers['content-type']} ${body.slice(1, 4)}` : String(status));
    }
  });
  expect(pictures).toEqual(['image/png PNG', 'image/png PNG', '404', '404', '404']);
  await dashboard.end('finished', 'Finished.');
  for (const stream of streams) {
    await vi.waitFor(() => expect(stream.ended).toBe(true));
    expect(JSON.parse(stream.last('run') ?? '')).toMatchObject({
      phase: 'finished',
      goesOn: false,
      title: 'finished · run',
    });
    expect(stream.last('headline')).toMatch(/Finished\.[\s\S]*100 %[\s\S]*step 24 of 24[\s\S]*epoch 6 of 6/);
    expect(stream.last('headline')).toContain(`epoch 6; guess`);
    expect(stream.last('curves')).toMatch(
      /Training loss[\s\S]*Learning rate[\s\S]*Validation mAP[\s\S]*Validation AUROC/,
    );
    expect(stream.last('predictions')).toMatch(/Probabilities of epoch 6, and their change since epoch 5\./);
    expect(stream.last('notes')).toContain('saved after step 24.');
    // a class may be called anything
    for (const { content, name } of stream.events) if (name !== 'run') expect(content).not.toContain(SCRIPT);
    expect(stream.last('predictions')).toContain('&lt;script&gt;document');
  }
  expect(summary.status).toBe('finished');
  expect(await bytesOf(run)).toEqual(whole);
});

test('save, profile and stop do what they say, and the resumed run ends with the bytes of one in one go', async () => {
  const stopper = new AbortController();
  const run = await freshRun();
  const { dashboard, start } = await live({ run, stop: () => stopper.abort() });
  const known = await open(dashboard.address);
  const stream = await Stream.open(known);
  const press = async (name: string) => {
    expect((await ask(known.page + name, { method: 'POST', headers: known.own })).status).toBe(202);
  };
  const heard: string[] = [];
  const saved: number[] = [];
  const { summary } = await start({ signal: stopper.signal }, async (event) => {
    if (event.kind === 'step' && event.step === 6) await press('save');
    if (event.kind === 'saved') saved.push((await run.saved.about())?.progress.step ?? -1);
    if (event.kind === 'step' && event.step === 10) await press('profile');
    if (event.kind === 'profile') heard.push(`profiled ${event.step}`);
    if (event.kind === 'step' && event.step === 18) await press('stop');
  });
  expect(summary).toMatchObject({ status: 'stopped', steps: 18 });
  expect(saved).toEqual([6, 18]);
  expect(heard).toEqual(['profiled 11']);
  await dashboard.end('stopped', 'Stopped after step 18.');
  await vi.waitFor(() => expect(stream.ended).toBe(true));
  expect(stream.last('kernels')).toMatch(/<th scope="row">[\s\S]*of step 11, timed once/);

  // the browser finds the run again: same port, same session, all curves
  const again = await live({ run: new RunDirectory(run.path), resume: true });
  expect(new URL(again.dashboard.address).origin).toBe(new URL(known.page).origin);
  const back = await Stream.open(known, stream.events.at(-1)?.id);
  let drawn = '';
  await again.start({}, async (event) => {
    if (event.kind !== 'epochBegins' || drawn !== '') return;
    await vi.waitFor(() => expect(back.last('headline')).toContain('step 18 of 24'));
    drawn = back.last('headline') ?? '';
  });
  expect(drawn).toContain('mean of epoch 4');
  expect((await ask(`${known.page}save`, { method: 'POST', headers: known.own })).status).toBe(202);
  await again.dashboard.end('finished', 'Finished.');
  await vi.waitFor(() => expect(back.ended).toBe(true));
  expect(back.last('headline')).toContain('step 24 of 24');
  expect(await bytesOf(run)).toEqual(whole);
});

test('with --explain, the first steps are shown, and later ones can be profiled, too', async () => {
  const recipe = tinyRecipe('schedule.epochs=10');
  const { dashboard, start } = await live({ run: await freshRun(), recipe });
  const stream = await Stream.open(await open(dashboard.address));
  let profiled = 0;
  await start({ explain: true }, (event) => {
    if (event.kind === 'explanation') dashboard.requests.profile = true;
    if (event.kind === 'profile') profiled = event.step;
  });
  await dashboard.end('finished', 'Finished.');
  expect(profiled).toBeGreaterThan(5);
  await vi.waitFor(() => expect(stream.ended).toBe(true));
  expect(stream.last('kernels')).toContain(`of step ${profiled}, timed once`);
});

test('a fault of the page is told, and reaches no run', async () => {
  const said: string[] = [];
  const run = await freshRun();
  const say = (text: string) => said.push(text);
  const dashboard = await Dashboard.open({ run, recipe: SHORT, resume: false, port: 0, stop: () => {}, say });
  onTestFinished(() => dashboard.end('stopped', ''));
  // as no run would say it
  await dashboard.hear({ kind: 'ready' } as never);
  expect(said.at(-1)).toMatch(/^dashboard {2}stopped by a fault of its own, and the run goes on: /);
  await dashboard.hear({ kind: 'epochBegins', epoch: 1 });
  expect(said).toHaveLength(2);
});
