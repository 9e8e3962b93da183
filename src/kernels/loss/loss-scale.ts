import { ShapeError } from '../../engine/errors.js';
import { type Binding, describe, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { requireVariable } from '../optimizer/flat-update.js';
import { slice } from '../shape/movement.js';

/**
 * Dynamic loss scaling (Micikevicius et al. 2018, arXiv 1710.03740, section 3.2), with the schedule and the defaults of
 * PyTorch's `GradScaler`: the loss's gradient starts at `scale`, so that small gradients survive as f16. A step whose
 * gradient overflowed changes nothing and halves the scale; after 2,000 good steps in a row the scale doubles.
 *
 * All of it happens on the device: a step needs no read-back to know its scale.
 */
export const LOSS_SCALE_START = 65536;
const GROWTH = 2;
const BACKOFF = 0.5;
const GROWTH_INTERVAL = 2000;
/** f32 holds it, and its product with any loss that makes sense. */
const LARGEST = 2 ** 24;

/** Elements of the variable that holds the scale and the number of good steps in a row. */
export const LOSS_SCALE_STATE = 2;

/** The values of a fresh state. */
export function freshLossScale(): Float32Array {
  return Float32Array.of(LOSS_SCALE_START, 0);
}

/** @param state variable [2] @returns [1]: the gradient of the loss itself in this step */
export function lossScale(state: Tensor): Tensor {
  return slice(state, [0], [1]);
}

/**
 * Follows a step.
 * @param state variable [2], updated @param clip [1] of the step, negative where its gradient was not finite
 */
export function updateLossScale(state: Tensor, clip: Tensor): void {
  requireVariable('updateLossScale', 'state', state);
  state.graph.apply(updateLossScaleOp, [state, clip], undefined);
}

const updateLossScaleOp: Op<undefined> = {
  name: 'updateLossScale',
  mutates: [0],

  infer([state, clip]) {
    if (!state || !clip || elementCount(state.shape) !== LOSS_SCALE_STATE || elementCount(clip.shape) !== 1) {
      throw new ShapeError(
        `updateLossScale: wants a state [${LOSS_SCALE_STATE}] and a clip factor [1], got ` +
          `${state && describe(state)} and ${clip && describe(clip)}`,
      );
    }
    return [];
  },

  flops: () => 2,

  variants: [
    {
      name: 'single',
      unfit: () => undefined,
      rank: () => 1,
      build: () => ({
        scratch: [],
        steps: [
          {
            kind: 'dispatch',
            bindings: (['state', 'clip'] as const).map(
              (name, index): Binding => ({
                name,
                operand: { kind: 'input', index },
                access: index === 0 ? 'read_write' : 'read',
                type: 'f32',
              }),
            ),
            workgroups: [1, 1, 1],
            code: `@compute @workgroup_size(1) fn main() {
  let good = state[1] + 1.0;
  if (clip[0] < 0.0) {
    state[0] *= ${BACKOFF};
    state[1] = 0.0;
  } else if (good == ${GROWTH_INTERVAL}.0) {
    state[0] = min(state[0] * ${GROWTH}.0, ${LARGEST}.0);
    state[1] = 0.0;
  } else {
    state[1] = good;
  }
}`,
          },
        ],
      }),
    },
  ],
};
