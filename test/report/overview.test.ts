import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { writeReport } from '../../src/report/report.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { writeDataset, writeRun } from './made-up-run.js';

let folder = '';
let data = '';
const runs: string[] = [];

beforeAll(async () => {
  // not `temporaryFolder`: that one is gone with the first test
  folder = join(process.env.TMPDIR ?? '/tmp', `tailray-overview-${process.pid}`);
  data = await writeDataset(join(folder, 'data'), { classes: ['a', '<b>'], images: 80 });
  for (const [i, skill] of [0.5, 3, 1.5].entries()) {
    const overrides = [`optimizer.lr=${10 ** -(i + 2)}`, `loss.name=${i === 2 ? 'bce' : 'asl'}`];
    runs.push(await writeRun(join(folder, `runs/<script>run ${i}`), { data, skill, overrides }));
  }
  return () => rm(folder, { recursive: true, force: true });
});

async function overviewOf(paths: string[], options = {}) {
  const out = join(await temporaryFolder(), 'page.html');
  const written = await writeReport(paths, { out, resamples: 20, pictures: false, ...options });
  const page = await readFile(out, 'utf8');
  const table = page.split('<section id="overview">')[1]?.split('</section>')[0] ?? '';
  return { ...written, page, table, rows: table.split('<tr>').slice(2) };
}

describe('the overview of several runs', () => {
  test('has a row a run, the best validation first, with scores, a curve and the settings that differ', async () => {
    const { table, rows, page, detailed } = await overviewOf(runs);
    expect(rows).toHaveLength(3);
    const scores = await Promise.all(
      runs.map(
        async (path) =>
          JSON.parse(await readFile(join(path, 'summary.json'), 'utf8')).validation.mAP as number,
      ),
    );
    const order = [...scores].sort((x, y) => y - x).map((score) => scores.indexOf(score));
    expect(rows.map((row) => Number(/run (\d)/.exec(row)?.[1]))).toEqual(order);
    for (const [i, row] of rows.entries()) {
      expect(row).toContain(`<b>${scores[order[i] ?? 0]?.toFixed(3)}</b>`);
      expect(row).toMatch(
        /<svg class="spark".* in 5 epochs, [01]\.\d{3} in epoch 4".*<path class="line series mAP" d="M/,
      );
      expect(row).toContain(`href="#run-${(order[i] ?? 0) + 1}"`);
    }
    const titles = [...table.matchAll(/<th scope="col"[^>]*>(.*?)<\/th>/g)].map(([, title = '']) =>
      title.replaceAll('<wbr/>', ''),
    );
    expect(titles.slice(6)).toEqual(expect.arrayContaining(['optimizer.lr', 'loss.name', 'loss.gammaNeg']));
    expect(titles).not.toContain('schedule.epochs');
    expect(detailed).toHaveLength(3);
    expect(page).toContain('3 runs compared');
  });

  test('is the whole page where there are more runs than are wanted in detail', async () => {
    const { page, detailed, notes } = await overviewOf(runs, { details: 2 });
    expect(notes).toEqual(['3 runs are more than 2: the report is an overview, without details of each.']);
    expect(detailed).toEqual([]);
    expect(page).not.toContain('<article');
    expect(page).not.toContain('runs compared');
    expect((await overviewOf(runs, { details: 0 })).notes).toEqual([]);
  });

  test('runs its own script and no other, and names of folders stay text', async () => {
    const { page } = await overviewOf(runs, { details: 0 });
    expect(page).toMatch(/script-src 'sha256-[\w+/]{43}='/);
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).toContain('&lt;script&gt;run 0');
    expect(page).not.toContain(folder);
  });

  test('passes over what is no run, and gives a damaged run a row that says so', async () => {
    const broken = await writeRun(join(await temporaryFolder(), 'broken'), { data });
    await writeFile(join(broken, 'summary.json'), '{"status": "fin');
    const { notes, rows, table, detailed, page } = await overviewOf([...runs, data, broken]);
    expect(notes).toEqual([`left out, as no run is in ${data}.`]);
    expect(rows).toHaveLength(4);
    expect(rows.find((row) => row.includes('>broken<'))).toContain('>failed</td>');
    expect(table).toContain('broken: summary.json is not valid JSON');
    expect(detailed).toHaveLength(3);
    expect(page).not.toContain(folder);
  });

  test('needs a run', async () => {
    const empty = await temporaryFolder({ 'a/x': '', 'b/x': '' });
    await expect(writeReport([join(empty, 'a'), join(empty, 'b')])).rejects.toThrow('none of the 2 folders');
  });

  test('of a hundred runs is small', async () => {
    const many = await temporaryFolder();
    const paths: string[] = [];
    for (let i = 0; i < 100; i++) {
      const path = join(many, `run-${i}`);
      await mkdir(path);
      for (const name of ['recipe.yaml', 'summary.json', 'metrics.jsonl']) {
        const content = await readFile(join(runs[i % 3] ?? '', name), 'utf8');
        await writeFile(join(path, name), content.replace(/^seed: 0$/m, `seed: ${i}`));
      }
      paths.push(path);
    }
    const { page, rows } = await overviewOf(paths);
    expect(rows).toHaveLength(100);
    expect(page.length).toBeLessThan(400_000);
  });
});
