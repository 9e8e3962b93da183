/** The list of cases: long tail, co-occurrence, patients, splits, errors in labels. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FINDINGS,
  type Finding,
  frequencyGroup,
  IN_DISTRIBUTION,
  isFinding,
  OUT_OF_DISTRIBUTION,
} from '../../src/data/tables/findings.js';
import { type PhantomCase, samplePhantomCases } from '../../src/phantom/cases.js';
import { PhantomOptionsError } from '../../src/phantom/errors.js';
import { FINDING_RULES } from '../../src/phantom/findings/table.js';
import { labelModel } from '../../src/phantom/labels.js';

const share = (cases: readonly PhantomCase[], name: Finding) =>
  cases.filter((one) => one.findings.includes(name)).length / cases.length;

describe('names', () => {
  it('are the 30 and the 6, without repetition', () => {
    expect(IN_DISTRIBUTION.length).toBe(30);
    expect(OUT_OF_DISTRIBUTION.length).toBe(6);
    expect(new Set(FINDINGS).size).toBe(36);
    expect(isFinding('goiter')).toBe(true);
    expect(isFinding('Goiter')).toBe(false);
  });

  it('have a rule each, with ranks 0–29 and 0–5 and companions decided before them', () => {
    const names = Object.keys(FINDING_RULES) as Finding[];
    expect(new Set(names)).toEqual(new Set(FINDINGS));
    const ranks = (list: readonly Finding[]) =>
      list.map((name) => FINDING_RULES[name].rank).sort((a, b) => a - b);
    expect(ranks(IN_DISTRIBUTION)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(ranks(OUT_OF_DISTRIBUTION)).toEqual([0, 1, 2, 3, 4, 5]);
    const decided = (name: Finding) =>
      names.indexOf(name) + (FINDING_RULES[name].course === 'passing' ? 100 : 0);
    for (const name of names) {
      for (const companion of Object.keys(FINDING_RULES[name].companions ?? {}) as Finding[]) {
        expect(decided(companion), `${companion} before ${name}`).toBeLessThan(decided(name));
      }
    }
  });

  it('fall into head, medium and tail at 10 % and 1 %', () => {
    expect([0.101, 0.1, 0.01, 0.0099].map(frequencyGroup)).toEqual(['head', 'medium', 'medium', 'tail']);
  });
});

describe('samplePhantomCases', () => {
  it('aims at the imbalance asked for, and the drawn shares follow the aim', () => {
    for (const imbalance of [1, 50, 1076]) {
      const { prevalence } = labelModel(imbalance, false);
      const values = IN_DISTRIBUTION.map((name) => prevalence.get(name)!);
      expect(Math.max(...values) / Math.min(...values)).toBeCloseTo(imbalance, 6);
      if (imbalance === 1) continue;
      const cases = samplePhantomCases({ count: 4000, seed: 3, imbalance });
      for (const name of IN_DISTRIBUTION) {
        const aim = prevalence.get(name)!;
        // images of a patient are alike, so the spread is wider than binomial; companions are calibrated to first order
        const margin = 6 * Math.sqrt((2 * aim * (1 - aim)) / cases.length) + 0.35 * aim;
        expect(Math.abs(share(cases, name) - aim), `${name} at ${imbalance}`).toBeLessThan(margin);
      }
    }
  });

  it('makes Normal exclude everything else, and never leaves an image without a label', () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 0.5, noNaN: true }), (seed, labelNoise) => {
        for (const one of samplePhantomCases({ count: 60, seed, labelNoise, imbalance: 20 })) {
          expect(one.findings.length).toBeGreaterThan(0);
          if (one.findings.includes('Normal')) expect(one.findings).toEqual(['Normal']);
          const positives = one.labels.filter((label) => label === 1).length;
          expect(positives).toBeGreaterThan(0);
          if (one.labels[0] === 1) expect(positives).toBe(1);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('gives image k the same case whatever the count', () => {
    const short = samplePhantomCases({ count: 70, seed: 11, laterals: 0.2, unknown: 0.1, labelNoise: 0.1 });
    const long = samplePhantomCases({ count: 300, seed: 11, laterals: 0.2, unknown: 0.1, labelNoise: 0.1 });
    expect(long.slice(0, 70)).toEqual(short);
    expect(samplePhantomCases({ count: 70, seed: 12 })).not.toEqual(
      samplePhantomCases({ count: 70, seed: 11 }),
    );
  });

  it('keeps patients apart between the splits, with several images each and stable lasting findings', () => {
    const cases = samplePhantomCases({ count: 1500, seed: 5, ood: true, imbalance: 100 });
    const patients = new Map<string, PhantomCase[]>();
    for (const one of cases) patients.set(one.patientId, [...(patients.get(one.patientId) ?? []), one]);
    for (const visits of patients.values()) {
      expect(new Set(visits.map((one) => one.split)).size).toBe(1);
      const lasting = visits.map((one) =>
        one.findings.filter((name) => name !== 'Normal' && FINDING_RULES[name].course === 'lasting').join(),
      );
      expect(new Set(lasting).size).toBe(1);
      const dates = visits.map((one) => one.studyDate);
      expect(dates).toEqual([...dates].sort());
    }
    expect(patients.size).toBeLessThan(cases.length);
    expect(new Set(cases.map((one) => one.imageId)).size).toBe(cases.length);
    const held = cases.filter((one) => one.split === 'test').length / 1500;
    expect(held).toBeGreaterThan(0.14);
    expect(held).toBeLessThan(0.26);
  });

  it('lets companions occur together more often than chance', () => {
    const cases = samplePhantomCases({ count: 4000, seed: 2, imbalance: 30 });
    const pairs: [Finding, Finding][] = [
      ['atelectasis', 'pleural effusion'],
      ['sternotomy', 'cardiomegaly'],
      ['hyperinflated lung', 'Emphysema'],
      ['central venous catheter', 'Support Devices'],
    ];
    for (const [name, companion] of pairs) {
      const withCompanion = cases.filter((one) => one.findings.includes(companion));
      const without = cases.filter(
        (one) => !one.findings.includes(companion) && one.findings[0] !== 'Normal',
      );
      expect(share(withCompanion, name), `${name} with ${companion}`).toBeGreaterThan(
        1.3 * share(without, name),
      );
    }
    for (const one of cases) {
      expect(one.findings.includes('hypoexpansion') && one.findings.includes('hyperinflated lung')).toBe(
        false,
      );
    }
  });

  it('draws unseen findings only with ood, and only outside training and test', () => {
    const unseen = (one: PhantomCase) =>
      one.findings.some((name) => (OUT_OF_DISTRIBUTION as readonly string[]).includes(name));
    expect(samplePhantomCases({ count: 500, seed: 1 }).some(unseen)).toBe(false);
    const cases = samplePhantomCases({ count: 500, seed: 1, ood: true });
    expect(cases.filter((one) => one.split !== 'zeroshot').length).toBe(500);
    expect(cases.filter((one) => one.split !== 'zeroshot').some(unseen)).toBe(false);
    const zeroshot = cases.filter((one) => one.split === 'zeroshot');
    expect(zeroshot.length).toBe(100);
    for (const name of OUT_OF_DISTRIBUTION) expect(share(zeroshot, name), name).toBeGreaterThan(0.02);
  });

  it('blanks and flips training labels at the rates asked for, and never test labels', () => {
    const options = { count: 2500, seed: 4, imbalance: 20 };
    const cases = samplePhantomCases({ ...options, unknown: 0.1, labelNoise: 0.05 });
    const train = cases.filter((one) => one.split === 'train');
    const cells = train.flatMap((one) => one.labels);
    expect(cells.filter((label) => label === undefined).length / cells.length).toBeCloseTo(0.1, 2);
    let positives = 0;
    let missed = 0;
    let invented = 0;
    for (const one of train) {
      IN_DISTRIBUTION.forEach((name, column) => {
        if (name === 'Normal' || one.labels[column] === undefined) return;
        const present = one.findings.includes(name);
        if (present) positives++;
        if (present && one.labels[column] === 0) missed++;
        if (!present && one.labels[column] === 1) invented++;
      });
    }
    expect(Math.abs(missed / positives - 0.05)).toBeLessThan(0.015);
    expect(Math.abs(invented / positives - 0.05)).toBeLessThan(0.02);
    for (const one of cases.filter((each) => each.split === 'test')) {
      expect(one.labels).toEqual(IN_DISTRIBUTION.map((name) => (one.findings.includes(name) ? 1 : 0)));
    }
  });

  it('reaches the least number of positives in both splits', () => {
    const cases = samplePhantomCases({ count: 400, seed: 6, minPositives: 6 });
    for (const name of IN_DISTRIBUTION) {
      const count = (split: string) =>
        cases.filter((one) => one.split === split && one.findings.includes(name)).length;
      expect(count('train'), name).toBeGreaterThanOrEqual(6);
      expect(count('test'), name).toBeGreaterThanOrEqual(2);
    }
  });

  it('shows the share of laterals asked for', () => {
    const cases = samplePhantomCases({ count: 2000, seed: 9, laterals: 0.2 });
    const laterals = cases.filter((one) => one.view === 'lateral').length / cases.length;
    expect(Math.abs(laterals - 0.2)).toBeLessThan(0.04);
    expect(samplePhantomCases({ count: 200, seed: 9 }).some((one) => one.view === 'lateral')).toBe(false);
  });

  it.each([
    { count: 0 },
    { count: 2.5 },
    { imbalance: 0.5 },
    { laterals: 1.5 },
    { labelNoise: -0.1 },
    { unknown: Number.NaN },
    { testFraction: 1 },
    { minPositives: 90 },
  ])('refuses %j and names the option', (wrong) => {
    const attempt = () => samplePhantomCases({ count: 100, seed: 1, ...wrong });
    expect(attempt).toThrow(PhantomOptionsError);
    expect(attempt).toThrow(Object.keys(wrong)[0]!);
  });
});
