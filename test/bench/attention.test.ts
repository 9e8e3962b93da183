import { expect, test } from 'vitest';
import { largestDifference } from '../../bench/agreement.js';
import { operandValues } from '../../bench/operand-values.js';
import { fusedAttention, unfusedAttention } from '../../bench/workloads/attention.js';
import { evaluate } from '../device.js';

test.each([false, true])(
  'the plain ops compute what the fused kernel computes, causal: %s',
  async (causal) => {
    const sizes = { n: 2, heads: 3, tokens: 9, width: 4, causal };
    const rows = { shape: [2, 9, 12] };
    const forms = [rows, rows, rows, { shape: [9, 9], fill: 'causal' } as const];
    const operands = forms.map((form, i) => ({ shape: form.shape, values: operandValues(form, i) }));
    const [fused, unfused] = await evaluate(
      operands,
      ([q, k, v, mask]) => [
        fusedAttention([q!, k!, v!], sizes),
        unfusedAttention([q!, k!, v!], sizes, causal ? mask : undefined),
      ],
      // quick to compile
      { attention: 'direct', bmm: 'direct' },
    );
    expect(largestDifference([fused!], [unfused!])).toBeLessThan(1e-5);
  },
);
